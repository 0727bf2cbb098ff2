!> The linear least squares problem with a diagonal block appended.
module minpack_qrsolv
   use, intrinsic :: iso_c_binding, only: c_double, c_int
   use lm_types, only: wp
   implicit none
   private
   public :: qrsolv, find_rotation

contains

   !> x that minimizes |J x - f|² + |D x|², given J P = Q R and Q'f.
   !>
   !> Givens rotations bring R with the rows of P'D P below it to the triangle S,
   !> P'(J'J + D D)P = S'S. On return the strict lower triangle of r holds that of
   !> S', sdiag its diagonal; the upper triangle of r is unchanged.
   !> Source: Moré (1978), section 3; ANL-80-74, qrsolv.
   subroutine qrsolv(n, r, ldr, ipvt, diag, qtf, x, sdiag, work)
      integer(c_int), intent(in) :: n          !< order of R
      integer(c_int), intent(in) :: ldr        !< leading dimension of r
      real(c_double), intent(inout) :: r(ldr, n) !< R above; out: S' below
      integer(c_int), intent(in) :: ipvt(n)    !< the permutation P
      real(c_double), intent(in) :: diag(n)    !< the diagonal of D
      real(c_double), intent(in) :: qtf(n)     !< the first n entries of Q'f
      real(c_double), intent(out) :: x(n)      !< the solution
      real(c_double), intent(out) :: sdiag(n)  !< the diagonal of S
      real(c_double), intent(out) :: work(n)   !< work space: Q'f, rotated

      real(wp) :: total
      integer :: i, j, nsing

      ! A copy of R is rotated in the lower triangle; x keeps the diagonal of R.
      do j = 1, n
         do i = j, n
            r(i, j) = r(j, i)
         end do
         x(j) = r(j, j)
      end do
      work = qtf

      do j = 1, n
         if (diag(ipvt(j)) /= 0) call eliminate_row(j)
         sdiag(j) = r(j, j)
         r(j, j) = x(j)
      end do

      ! Solve S z = rotated Q'f; where S is singular, for as many z as it allows.
      nsing = n
      do j = 1, n
         if (sdiag(j) == 0 .and. nsing == n) nsing = j - 1
         if (nsing < n) work(j) = 0
      end do
      do j = nsing, 1, -1
         total = 0
         do i = j + 1, nsing
            total = total + r(i, j)*work(i)
         end do
         work(j) = (work(j) - total)/sdiag(j)
      end do
      do j = 1, n
         x(ipvt(j)) = work(j)
      end do

   contains

      !> Rotate row j of P'D P into the triangle.
      subroutine eliminate_row(j)
         integer, intent(in) :: j
         real(wp) :: qtf_row, cos, sin, temp
         integer :: k, i

         ! sdiag(j:n) holds the row, which fills up as it is rotated
         sdiag(j:n) = 0
         sdiag(j) = diag(ipvt(j))
         qtf_row = 0
         do k = j, n
            if (sdiag(k) == 0) cycle
            call find_rotation(r(k, k), sdiag(k), cos, sin)
            r(k, k) = cos*r(k, k) + sin*sdiag(k)
            temp = cos*work(k) + sin*qtf_row
            qtf_row = -sin*work(k) + cos*qtf_row
            work(k) = temp
            do i = k + 1, n
               temp = cos*r(i, k) + sin*sdiag(i)
               sdiag(i) = -sin*r(i, k) + cos*sdiag(i)
               r(i, k) = temp
            end do
         end do
      end subroutine
   end subroutine

   !> The cosine and the sine of the rotation that takes (a, b) to (*, 0).
   pure subroutine find_rotation(a, b, cos, sin)
      real(wp), intent(in) :: a, b
      real(wp), intent(out) :: cos, sin
      real(wp) :: tan, cotan

      if (abs(a) < abs(b)) then
         cotan = a/b
         sin = 0.5_wp/sqrt(0.25_wp + 0.25_wp*cotan**2)
         cos = sin*cotan
      else
         tan = b/a
         cos = 0.5_wp/sqrt(0.25_wp + 0.25_wp*tan**2)
         sin = cos*tan
      end if
   end subroutine
end module
