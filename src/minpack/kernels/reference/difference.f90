!> Forward differences.
module reference_difference
   use, intrinsic :: iso_c_binding, only: c_int, c_double
   implicit none
   private
   public :: difference

contains

   !> column = (f - fvec)/h; ANL-80-74, fdjac2.
   subroutine difference(m, f, fvec, h, column) bind(c, name="minpack_reference_difference")
      integer(c_int), value, intent(in) :: m
      real(c_double), intent(in) :: f(*)       !< (m) residuals at x + h e_j
      real(c_double), intent(in) :: fvec(*)    !< (m) residuals at x
      real(c_double), value, intent(in) :: h   !< the difference step
      real(c_double), intent(out) :: column(*) !< (m) column j of the Jacobian
      integer :: i

      do i = 1, m
         column(i) = (f(i) - fvec(i))/h
      end do
   end subroutine
end module
