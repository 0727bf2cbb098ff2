!> Whether the rows of a Jacobian agree with differences of the residuals: ANL-80-74,
!> chkder.
!>
!> Call with mode 1 for a neighbour xp of x, evaluate the residuals at both and the
!> Jacobian at x, and call with mode 2: err(i) is 1 where row i is right, 0 where it is
!> wrong, and between them where it is hard to say. The measure is the number of digits to
!> which the difference along x and J x agree, relative to half of those that there are.
subroutine chkder(m, n, x, fvec, fjac, ldfjac, xp, fvecp, mode, err)
   use, intrinsic :: iso_c_binding, only: c_int, c_double
   use lm_types, only: epsmch
   implicit none

   integer(c_int), intent(in) :: m              !< number of residuals
   integer(c_int), intent(in) :: n              !< number of parameters
   real(c_double), intent(in) :: x(n)           !< where
   real(c_double), intent(in) :: fvec(m)        !< mode 2: the residuals at x
   integer(c_int), intent(in) :: ldfjac         !< leading dimension of fjac, at least m
   real(c_double), intent(in) :: fjac(ldfjac, n)!< mode 2: the Jacobian at x
   real(c_double), intent(inout) :: xp(n)       !< mode 1, out: the neighbour
   real(c_double), intent(in) :: fvecp(m)       !< mode 2: the residuals at xp
   integer(c_int), intent(in) :: mode           !< 1 or 2
   real(c_double), intent(inout) :: err(m)      !< mode 2, out: the verdicts
   !> Differences below this part of a residual are rounding errors.
   real(c_double), parameter :: least_change = 100*epsmch
   real(c_double) :: eps, weight, difference
   integer :: i, j

   eps = sqrt(epsmch)
   if (mode /= 2) then
      do j = 1, n
         difference = eps*abs(x(j))
         if (difference == 0) difference = eps
         xp(j) = x(j) + difference
      end do
      return
   end if

   err = 0
   do j = 1, n
      weight = abs(x(j))
      if (weight == 0) weight = 1
      do i = 1, m
         err(i) = err(i) + weight*fjac(i, j)
      end do
   end do
   do i = 1, m
      difference = 1
      if (fvec(i) /= 0 .and. fvecp(i) /= 0 .and. &
          abs(fvecp(i) - fvec(i)) >= least_change*abs(fvec(i))) &
         difference = eps*abs((fvecp(i) - fvec(i))/eps - err(i))/(abs(fvec(i)) + abs(fvecp(i)))
      err(i) = 1
      if (difference > epsmch .and. difference < eps) &
         err(i) = (log10(difference) - log10(eps))/log10(eps)
      if (difference >= eps) err(i) = 0
   end do
end subroutine
