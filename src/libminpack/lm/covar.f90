!> The covariance matrix of the parameters, but for the variance of the residuals.
module minpack_covar
   use, intrinsic :: iso_c_binding, only: c_double, c_int
   use lm_types, only: wp, lm_state
   use lm_bounds, only: bounds_vectors
   use reference_qrfac, only: qrfac
   implicit none
   private
   public :: covariance_of_fit, scaled_covar

contains

   !> scale² (J'J)^-1 with zeros for the parameters that equal bounds fix.
   subroutine covariance_of_fit(s, n, r, ipvt, scale, cov, work, singular, lower, upper, sets, &
                                w) bind(c, name="minpack_covariance")
      type(lm_state), intent(in) :: s
      integer(c_int), value, intent(in) :: n
      real(wp), intent(in) :: r(s%ldr, n)
      integer(c_int), intent(in) :: ipvt(n)
      real(wp), value, intent(in) :: scale
      real(wp), intent(inout) :: cov(n, n)
      real(wp), intent(out) :: work(n, n)       !< work space
      integer(c_int), intent(out) :: singular   !< 1 if there is none
      real(wp), intent(in), optional :: lower(n), upper(n)
      integer(c_int), intent(inout), optional :: sets(n, 5)  !< work space from column 2 on
      real(wp), intent(inout), optional :: w(n, n + bounds_vectors) !< work space

      if (present(lower)) then
         sets(:, 2) = merge(1, 0, lower == upper)
         if (any(sets(:, 2) /= 0)) then
            call covar_of_some(n, s%ldr, r, ipvt, sets(:, 2), scale, cov, work, &
                               singular, sets(:, 3), w(:, 1), w(:, 2), w(:, 3), &
                               w(:, bounds_vectors + 1:))
            return
         end if
      end if
      call scaled_covar(n, s%ldr, r, ipvt, scale, cov, work, singular)
   end subroutine

   !> cov = scale² (J'J)^-1 = scale² P R^-1 R^-T P', given J P = Q R.
   !>
   !> singular is 1, and cov is left alone, where the diagonal of R has an exact
   !> zero; otherwise it is 0. scale² may be out of range where the product is not.
   !> Source: Lawson and Hanson, Solving Least Squares Problems (1974), chapter 12.
   subroutine scaled_covar(n, ldr, r, ipvt, scale, cov, work, singular)
      integer(c_int), intent(in) :: n, ldr
      real(c_double), intent(in) :: r(ldr, n)
      integer(c_int), intent(in) :: ipvt(n)
      real(c_double), intent(in) :: scale
      real(c_double), intent(inout) :: cov(n, n)
      real(c_double), intent(out) :: work(n, n) !< work space: scale R^-1
      integer(c_int), intent(out) :: singular

      real(wp) :: total
      integer :: i, j, k

      singular = 1
      do j = 1, n
         if (r(j, j) == 0) return
      end do
      singular = 0

      ! R^-1, column by column, by back substitution from the unit vectors
      do j = 1, n
         work(j, j) = 1/r(j, j)
         do i = j - 1, 1, -1
            total = 0
            do k = i + 1, j
               total = total + r(i, k)*work(k, j)
            end do
            work(i, j) = -total/r(i, i)
         end do
      end do
      do j = 1, n
         do i = 1, j
            work(i, j) = scale*work(i, j)
         end do
      end do

      do j = 1, n
         do i = 1, j
            total = 0
            do k = j, n
               total = total + work(i, k)*work(j, k)
            end do
            cov(ipvt(i), ipvt(j)) = total
            cov(ipvt(j), ipvt(i)) = total
         end do
      end do
   end subroutine

   !> The same of a model without the parameters that are fixed: their rows and columns of
   !> cov are zero. The factor of the other columns of J is that of their columns of R.
   subroutine covar_of_some(n, ldr, r, ipvt, fixed, scale, cov, work, singular, pivots, &
                            acnorm, rdiag, wa, a)
      integer(c_int), intent(in) :: n           !< order of R
      integer(c_int), intent(in) :: ldr         !< leading dimension of r
      real(wp), intent(in) :: r(ldr, n)         !< R, in the upper triangle
      integer(c_int), intent(in) :: ipvt(n)     !< the permutation P, J P = Q R
      integer(c_int), intent(in) :: fixed(n)    !< 1: a parameter that is fixed; else 0
      real(wp), intent(in) :: scale             !< its square is a factor of the matrix
      real(wp), intent(inout) :: cov(n*n)       !< the matrix
      real(wp), intent(out) :: work(n, n)       !< work space
      integer(c_int), intent(out) :: singular   !< 1 if there is none
      integer(c_int), intent(out) :: pivots(n)  !< work space
      real(wp), intent(out) :: acnorm(n), rdiag(n), wa(n), a(n, n) !< work space
      integer(c_int) :: some, j, k

      some = 0
      do k = 1, n
         if (fixed(k) /= 0) cycle
         some = some + 1
         j = findloc(ipvt, k, dim=1)
         a(:j, some) = r(:j, j)
         a(j + 1:, some) = 0
      end do
      call qrfac(n, some, a, n, pivots, rdiag, acnorm, wa)
      do k = 1, some
         a(k, k) = rdiag(k)
      end do
      call scaled_covar(some, n, a, pivots, scale, cov, work, singular)
      if (singular == 0) call spread_out(n, fixed, cov)
   end subroutine

   !> Give a packed matrix the zero rows and columns of the parameters that are fixed: from
   !> its end on, so that nothing is overwritten before it has moved.
   pure subroutine spread_out(n, fixed, matrix)
      integer(c_int), intent(in) :: n, fixed(n)
      real(wp), intent(inout) :: matrix(n*n)
      integer :: i, j, from

      from = count(fixed == 0)**2
      do j = n, 1, -1
         do i = n, 1, -1
            if (fixed(i) == 0 .and. fixed(j) == 0) then
               matrix(i + n*(j - 1)) = matrix(from)
               from = from - 1
            else
               matrix(i + n*(j - 1)) = 0
            end if
         end do
      end do
   end subroutine
end module
