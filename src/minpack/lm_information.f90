!> Whether a difference carries information.
!>
!> A forward difference with the step h = sqrt(u) |x_j|, with u the rounding error of fcn,
!> changes the residuals by about sqrt(u) |J_j x_j|. Where parameter j adds little to the
!> model, as one that is nearly 0 does, that change drowns in the rounding errors of the
!> other terms. Those are about u times the size of the terms: in row i
!> size_i = max(|fvec_i|, |J_ik x_k|, k = 1, ..., n).
module lm_information
   use lm_types, only: wp, larger
   implicit none
   private

   public :: differences, evidence, are_clear, look_at

   !> All differences at x
   type :: differences
      integer :: m, n
      logical :: raw                                !< .true.: fjac holds residuals
      real(wp) :: rounding                          !< u
      real(wp), pointer, contiguous :: fjac(:, :)   !< the quotients, or the residuals at x + h
      real(wp), pointer, contiguous :: last(:)      !< column n of fjac, which may lie apart
      real(wp), pointer, contiguous :: fvec(:)      !< the residuals at x
      real(wp), pointer, contiguous :: x(:), h(:)   !< the parameters and their steps
   end type

   !> What a column shows
   type :: evidence
      logical :: is_clear   !< most of its change is well above rounding errors
      real(wp) :: change    !< how much it changes a residual, on average
      real(wp) :: size      !< how large the terms of a residual are, on average
   end type

   !> Rows of the first look, which is enough for most fits
   integer, parameter :: few_rows = 8

contains

   !> Whether a look at a few rows shows that all columns are clear: where a change is at
   !> least the part least(j) of the size, it is clear, and most of all change is there.
   pure logical function are_clear(d, least)
      type(differences), intent(in) :: d
      real(wp), intent(in) :: least(d%n)
      real(wp) :: size(few_rows), change, clear, unclear
      integer :: rows, stride, i, j, k

      stride = 1 + (d%m - 1)/few_rows
      rows = 1 + (d%m - 1)/stride
      do k = 1, rows
         size(k) = size_of_terms(d, 1 + (k - 1)*stride)
      end do
      are_clear = .false.
      do j = 1, d%n
         clear = 0
         unclear = 0
         i = 1
         do k = 1, rows
            change = abs(change_of(d, i, j))
            if (change >= least(j)*size(k)) then
               clear = clear + change
            else
               unclear = unclear + larger(change, d%rounding*size(k))
            end if
            i = i + stride
         end do
         if (clear == 0 .or. clear < unclear) return
      end do
      are_clear = .true.
   end function

   !> Look at column j: at a few of its rows, and at all of them unless these are clear.
   pure function look_at(d, j, least) result(seen)
      type(differences), intent(in) :: d
      integer, intent(in) :: j
      real(wp), intent(in) :: least
      type(evidence) :: seen

      seen = evidence_of_rows(d, j, least, 1 + (d%m - 1)/few_rows)
      if (.not. seen%is_clear .and. d%m > few_rows) seen = evidence_of_rows(d, j, least, 1)
   end function

   !> Every row in `stride`. NaN counts as clear: it is told elsewhere.
   pure function evidence_of_rows(d, j, least, stride) result(seen)
      type(differences), intent(in) :: d
      integer, intent(in) :: j, stride
      real(wp), intent(in) :: least
      type(evidence) :: seen
      real(wp) :: change, size, clear, unclear
      integer :: i, rows

      seen = evidence(.true., 0.0_wp, 0.0_wp)
      clear = 0
      unclear = 0
      rows = 0
      do i = 1, d%m, stride
         change = abs(change_of(d, i, j))
         size = size_of_terms(d, i)
         rows = rows + 1
         seen%change = seen%change + change
         seen%size = seen%size + size
         if (change >= least*size) then
            clear = clear + change
         else
            unclear = unclear + larger(change, d%rounding*size)
         end if
      end do
      seen%is_clear = .not. (clear == 0 .or. clear < unclear)
      seen%change = seen%change/rows
      seen%size = seen%size/rows
   end function

   !> By how much the step of parameter j changes residual i.
   pure real(wp) function change_of(d, i, j) result(change)
      type(differences), intent(in) :: d
      integer, intent(in) :: i, j

      if (.not. d%raw) then
         change = d%fjac(i, j)*d%h(j)
      else if (j < d%n) then
         change = d%fjac(i, j) - d%fvec(i)
      else
         change = d%last(i) - d%fvec(i)
      end if
   end function

   pure real(wp) function size_of_terms(d, i) result(size)
      type(differences), intent(in) :: d
      integer, intent(in) :: i
      real(wp) :: term
      integer :: k

      size = abs(d%fvec(i))
      do k = 1, d%n
         if (d%raw) then
            term = abs(change_of(d, i, k)*(d%x(k)/d%h(k)))
         else
            term = abs(d%fjac(i, k)*d%x(k))
         end if
         if (term > size .and. term <= huge(term)) size = term
      end do
   end function
end module
