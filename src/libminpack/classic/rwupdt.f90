!> The triangle R of a matrix and of one more row w: rotations take w to zero, one entry
!> after another, and are applied to (b, alpha) too; ANL-80-74, rwupdt.
subroutine rwupdt(n, r, ldr, w, b, alpha, cosines, sines)
   use, intrinsic :: iso_c_binding, only: c_int, c_double
   use minpack_qrsolv, only: find_rotation
   implicit none

   integer(c_int), intent(in) :: n              !< order of R
   integer(c_int), intent(in) :: ldr            !< leading dimension of r, at least n
   real(c_double), intent(inout) :: r(ldr, n)   !< R, in the upper triangle
   real(c_double), intent(in) :: w(n)           !< the row
   real(c_double), intent(inout) :: b(n)        !< Q'b; out: with the row
   real(c_double), intent(inout) :: alpha       !< b of the row; out: what is left of it
   real(c_double), intent(out) :: cosines(n), sines(n) !< of the rotations
   real(c_double) :: row_j
   integer :: i, j

   do j = 1, n
      row_j = w(j)
      do i = 1, j - 1
         call rotate(cosines(i), sines(i), r(i, j), row_j)
      end do
      cosines(j) = 1
      sines(j) = 0
      if (row_j == 0) cycle
      call find_rotation(r(j, j), row_j, cosines(j), sines(j))
      call rotate(cosines(j), sines(j), r(j, j), row_j)
      call rotate(cosines(j), sines(j), b(j), alpha)
   end do

contains

   pure subroutine rotate(cos, sin, upper, lower)
      real(c_double), intent(in) :: cos, sin
      real(c_double), intent(inout) :: upper, lower
      real(c_double) :: rotated

      rotated = cos*upper + sin*lower
      lower = -sin*upper + cos*lower
      upper = rotated
   end subroutine
end subroutine
