!> Whether a difference carries information.
!>
!> A forward difference with the step h = sqrt(u) |x_j|, with u the rounding error of fcn,
!> changes the residuals by about sqrt(u) |J_j x_j|. Where parameter j adds little to the
!> model, as one that is nearly 0 does, that change drowns in the rounding errors of the
!> other terms. Those are about u times the size of the terms: in row i
!> size_i = max(|fvec_i|, |J_ik x_k|, k = 1, ..., n).
module lm_information
   use, intrinsic :: iso_c_binding, only: c_int
   use lm_types, only: wp, larger
   implicit none
   private

   public :: columns, evidence, are_clear, look_at

   !> All differences at x
   type :: columns
      integer :: m, n
      logical :: are_raw                            !< .true.: fjac holds residuals
      real(wp) :: rounding                          !< u
      real(wp), pointer, contiguous :: fjac(:, :)   !< the quotients, or the residuals at x + h
      real(wp), pointer, contiguous :: last(:)      !< residuals of column n, if they lie apart
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
   pure logical function are_clear(c, least)
      type(columns), intent(in) :: c
      real(wp), intent(in) :: least(c%n)
      real(wp) :: size(few_rows), change, clear, unclear
      integer :: rows, stride, i, j, k

      stride = 1 + (c%m - 1)/few_rows
      rows = 1 + (c%m - 1)/stride
      if (c%are_raw) then
         do k = 1, rows
            size(k) = size_of_terms(c, 1 + (k - 1)*stride)
         end do
      else
         call find_sizes(c, rows, stride, size)
      end if
      are_clear = .false.
      do j = 1, c%n
         clear = 0
         unclear = 0
         do k = 1, rows
            i = 1 + (k - 1)*stride
            if (c%are_raw) then
               change = abs(change_of(c, i, j))
            else
               change = abs(c%fjac(i, j)*c%h(j))
            end if
            if (change >= least(j)*size(k)) then
               clear = clear + change
            else
               unclear = unclear + larger(change, c%rounding*size(k))
            end if
         end do
         if (clear == 0 .or. clear < unclear) return
      end do
      are_clear = .true.
   end function

   !> The sizes of the terms of some rows, from the quotients, by columns.
   pure subroutine find_sizes(c, rows, stride, size)
      type(columns), intent(in) :: c
      integer, intent(in) :: rows, stride
      real(wp), intent(out) :: size(few_rows)
      real(wp) :: term
      integer :: j, k

      do k = 1, rows
         size(k) = abs(c%fvec(1 + (k - 1)*stride))
      end do
      do j = 1, c%n
         do k = 1, rows
            term = abs(c%fjac(1 + (k - 1)*stride, j)*c%x(j))
            if (term > size(k) .and. term <= huge(term)) size(k) = term
         end do
      end do
   end subroutine

   !> Look at column j: at a few of its rows, and at all of them unless these are clear.
   pure function look_at(c, j, least) result(seen)
      type(columns), intent(in) :: c
      integer(c_int), intent(in) :: j
      real(wp), intent(in) :: least
      type(evidence) :: seen

      seen = evidence_of_rows(c, j, least, 1 + (c%m - 1)/few_rows)
      if (.not. seen%is_clear .and. c%m > few_rows) seen = evidence_of_rows(c, j, least, 1)
   end function

   !> Every row in `stride`. NaN counts as clear: it is told elsewhere.
   pure function evidence_of_rows(c, j, least, stride) result(seen)
      type(columns), intent(in) :: c
      integer(c_int), intent(in) :: j
      integer, intent(in) :: stride
      real(wp), intent(in) :: least
      type(evidence) :: seen
      real(wp) :: change, size, clear, unclear
      integer :: i, rows

      seen = evidence(.true., 0.0_wp, 0.0_wp)
      clear = 0
      unclear = 0
      rows = 0
      do i = 1, c%m, stride
         change = abs(change_of(c, i, j))
         size = size_of_terms(c, i)
         rows = rows + 1
         seen%change = seen%change + change
         seen%size = seen%size + size
         if (change >= least*size) then
            clear = clear + change
         else
            unclear = unclear + larger(change, c%rounding*size)
         end if
      end do
      seen%is_clear = .not. (clear == 0 .or. clear < unclear)
      seen%change = seen%change/rows
      seen%size = seen%size/rows
   end function

   !> By how much the step of parameter j changes residual i.
   pure real(wp) function change_of(c, i, j) result(change)
      type(columns), intent(in) :: c
      integer, intent(in) :: i, j

      if (.not. c%are_raw) then
         change = c%fjac(i, j)*c%h(j)
      else if (j < c%n) then
         change = c%fjac(i, j) - c%fvec(i)
      else
         change = c%last(i) - c%fvec(i)
      end if
   end function

   pure real(wp) function size_of_terms(c, i) result(size)
      type(columns), intent(in) :: c
      integer, intent(in) :: i
      real(wp) :: term
      integer :: k

      size = abs(c%fvec(i))
      do k = 1, c%n
         if (c%are_raw) then
            term = abs(change_of(c, i, k)*(c%x(k)/c%h(k)))
         else
            term = abs(c%fjac(i, k)*c%x(k))
         end if
         if (term > size .and. term <= huge(term)) size = term
      end do
   end function
end module
