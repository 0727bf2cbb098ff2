!> The Levenberg-Marquardt parameter for a given step bound.
module minpack_lmpar
   use, intrinsic :: iso_c_binding, only: c_double, c_int
   use lm_types, only: wp, dwarf, norm_kernel, larger, smaller
   use minpack_qrsolv, only: qrsolv
   implicit none
   private
   public :: lmpar

   !> |D x| may differ from delta by this part of it.
   real(wp), parameter :: tolerance = 0.1_wp
   integer, parameter :: max_iterations = 10

contains

   !> par >= 0 and the x that minimizes |J x + f|² + par |D x|² up to its sign,
   !> with |D x| <= 1.1 delta where par = 0, and within 0.1 delta of delta
   !> elsewhere.
   !>
   !> Newton's iteration on phi(par) = |D x(par)| - delta = 0 in the variable that
   !> makes it almost linear, safeguarded by the bounds parl < par < paru.
   !> Source: Moré (1978), section 5; ANL-80-74, lmpar.
   subroutine lmpar(norm, n, r, ldr, ipvt, diag, qtf, delta, par, x, sdiag, wa1, wa2)
      procedure(norm_kernel) :: norm             !< the Euclidean norm
      integer(c_int), intent(in) :: n            !< order of R
      integer(c_int), intent(in) :: ldr          !< leading dimension of r
      real(c_double), intent(inout) :: r(ldr, n) !< R above; out: S' strictly below
      integer(c_int), intent(in) :: ipvt(n)      !< the permutation P, J P = Q R
      real(c_double), intent(in) :: diag(n)      !< the diagonal of D
      real(c_double), intent(in) :: qtf(n)       !< the first n entries of Q'f
      real(c_double), intent(in) :: delta        !< the step bound
      real(c_double), intent(inout) :: par       !< in: an estimate; out: the parameter
      real(c_double), intent(out) :: x(n)        !< the solution: the step is -x
      real(c_double), intent(out) :: sdiag(n)    !< the diagonal of S
      real(c_double), intent(out) :: wa1(n), wa2(n) !< work space

      real(wp) :: dxnorm, gnorm, parl, paru, parc, phi, phi_before, temp
      integer :: iter, nsing

      ! The Gauss-Newton step, kept if it lies within the bound
      call gauss_newton()
      wa2 = diag*x
      dxnorm = norm(n, wa2)
      phi = dxnorm - delta
      if (phi <= tolerance*delta) then
         par = 0
         return
      end if

      ! parl: where J has full rank, the Newton step from par = 0
      parl = 0
      if (nsing >= n) then
         call scaled_gradient_of_norm()
         call solve_transposed_r()
         temp = norm(n, wa1)
         parl = ((phi/delta)/temp)/temp
      end if

      ! paru: |D^-1 J'f| / delta
      call scaled_gradient()
      gnorm = norm(n, wa1)
      paru = gnorm/delta
      if (paru == 0) paru = dwarf/smaller(delta, tolerance)

      par = larger(par, parl)
      par = smaller(par, paru)
      if (par == 0) par = gnorm/dxnorm

      do iter = 1, max_iterations
         if (par == 0) par = larger(dwarf, 0.001_wp*paru)
         temp = sqrt(par)
         wa1 = temp*diag
         call qrsolv(n, r, ldr, ipvt, wa1, qtf, x, sdiag, wa2)
         wa2 = diag*x
         dxnorm = norm(n, wa2)
         phi_before = phi
         phi = dxnorm - delta
         if (abs(phi) <= tolerance*delta) exit
         if (parl == 0 .and. phi <= phi_before .and. phi_before < 0) exit
         if (iter == max_iterations) exit

         ! The Newton correction, and the bounds drawn in by the sign of phi
         call scaled_gradient_of_norm()
         call solve_s()
         temp = norm(n, wa1)
         parc = ((phi/delta)/temp)/temp
         if (phi > 0) parl = larger(parl, par)
         if (phi < 0) paru = smaller(paru, par)
         par = larger(parl, par + parc)
      end do

   contains

      !> x = P R^-1 Q'f, with zeros for what a singular R leaves open.
      subroutine gauss_newton()
         integer :: i, j

         nsing = n
         do j = 1, n
            wa1(j) = qtf(j)
            if (r(j, j) == 0 .and. nsing == n) nsing = j - 1
            if (nsing < n) wa1(j) = 0
         end do
         do j = nsing, 1, -1
            wa1(j) = wa1(j)/r(j, j)
            temp = wa1(j)
            do i = 1, j - 1
               wa1(i) = wa1(i) - r(i, j)*temp
            end do
         end do
         do j = 1, n
            x(ipvt(j)) = wa1(j)
         end do
      end subroutine

      !> wa1 = P'D (D x/|D x|), the direction in which |D x| grows
      subroutine scaled_gradient_of_norm()
         integer :: j, l

         do j = 1, n
            l = ipvt(j)
            wa1(j) = diag(l)*(wa2(l)/dxnorm)
         end do
      end subroutine

      !> wa1 = P'D^-1 J'f
      subroutine scaled_gradient()
         real(wp) :: total
         integer :: i, j

         do j = 1, n
            total = 0
            do i = 1, j
               total = total + r(i, j)*qtf(i)
            end do
            wa1(j) = total/diag(ipvt(j))
         end do
      end subroutine

      !> Solve R'z = wa1 in place.
      subroutine solve_transposed_r()
         real(wp) :: total
         integer :: i, j

         do j = 1, n
            total = 0
            do i = 1, j - 1
               total = total + r(i, j)*wa1(i)
            end do
            wa1(j) = (wa1(j) - total)/r(j, j)
         end do
      end subroutine

      !> Solve S'z = wa1 in place.
      subroutine solve_s()
         integer :: i, j

         do j = 1, n
            wa1(j) = wa1(j)/sdiag(j)
            temp = wa1(j)
            do i = j + 1, n
               wa1(i) = wa1(i) - r(i, j)*temp
            end do
         end do
      end subroutine
   end subroutine
end module
