!> The Jacobian by forward differences; ANL-80-74, fdjac2.
subroutine fdjac2(fcn, m, n, x, fvec, fjac, ldfjac, iflag, epsfcn, wa)
   use, intrinsic :: iso_c_binding, only: c_int, c_double
   use lm_types, only: epsmch, larger
   implicit none

   interface
      !> Residuals at x; a negative iflag on return stops.
      subroutine fcn(m, n, x, fvec, iflag)
         import :: c_int, c_double
         integer(c_int) :: m, n, iflag
         real(c_double) :: x(n), fvec(m)
      end subroutine
   end interface
   integer(c_int), intent(in) :: m                  !< number of residuals
   integer(c_int), intent(in) :: n                  !< number of parameters
   real(c_double), intent(inout) :: x(n)            !< where; moved while fcn is called
   real(c_double), intent(in) :: fvec(m)            !< the residuals at x
   integer(c_int), intent(in) :: ldfjac             !< leading dimension of fjac, at least m
   real(c_double), intent(inout) :: fjac(ldfjac, n) !< out: the Jacobian
   integer(c_int), intent(inout) :: iflag           !< handed to fcn
   real(c_double), intent(in) :: epsfcn             !< relative error of fcn
   real(c_double), intent(inout) :: wa(m)           !< work space: residuals at x + h e_j
   real(c_double) :: h, relative, x_j
   integer :: i, j

   relative = sqrt(larger(epsfcn, epsmch))
   do j = 1, n
      x_j = x(j)
      h = relative*abs(x_j)
      if (h == 0) h = relative
      x(j) = x_j + h
      call fcn(m, n, x, wa, iflag)
      if (iflag < 0) return
      x(j) = x_j
      do i = 1, m
         fjac(i, j) = (wa(i) - fvec(i))/h
      end do
   end do
end subroutine
