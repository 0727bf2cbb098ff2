!> The covariance matrix of the parameters, but for the variance of the residuals.
module minpack_covar
   use, intrinsic :: iso_c_binding, only: c_double, c_int
   use lm_types, only: wp
   implicit none
   private
   public :: covar

contains

   !> cov = (J'J)^-1 = P R^-1 R^-T P', given J P = Q R.
   !>
   !> singular is 1, and cov is left alone, where the diagonal of R has an exact
   !> zero; otherwise it is 0.
   !> Source: Lawson and Hanson, Solving Least Squares Problems (1974), chapter 12.
   subroutine covar(n, ldr, r, ipvt, cov, work, singular) bind(c, name="lm_covar")
      integer(c_int), value, intent(in) :: n    !< order of R
      integer(c_int), value, intent(in) :: ldr  !< leading dimension of r
      real(c_double), intent(in) :: r(ldr, n)   !< R, in the upper triangle
      integer(c_int), intent(in) :: ipvt(n)     !< the permutation P
      real(c_double), intent(inout) :: cov(n, n)!< the matrix, both triangles
      real(c_double), intent(out) :: work(n, n) !< work space: R^-1
      integer(c_int), intent(out) :: singular   !< 1 if R has a zero on its diagonal

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
            total = 0
            do k = j, n
               total = total + work(i, k)*work(j, k)
            end do
            cov(ipvt(i), ipvt(j)) = total
            cov(ipvt(j), ipvt(i)) = total
         end do
      end do
   end subroutine
end module
