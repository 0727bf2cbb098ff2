!> The parts of MINPACK's least squares by their own names, for programs that call them:
!> what modules of ours do, with MINPACK's calling sequences.

!> A machine constant: epsmch, the least and the largest positive number.
function dpmpar(i)
   use, intrinsic :: iso_c_binding, only: c_int, c_double
   use lm_types, only: epsmch, dwarf
   implicit none

   real(c_double) :: dpmpar
   integer(c_int), intent(in) :: i !< which of them
   real(c_double), parameter :: giant = 1.79769313485e308_c_double
   real(c_double), parameter :: constants(3) = [epsmch, dwarf, giant]

   dpmpar = constants(i)
end function

!> |x(1:n)|
function enorm(n, x)
   use, intrinsic :: iso_c_binding, only: c_int, c_double
   use reference_enorm, only: reference => enorm
   implicit none

   real(c_double) :: enorm
   integer(c_int), intent(in) :: n
   real(c_double), intent(in) :: x(n)

   enorm = reference(n, x)
end function

!> A P = Q R by reflections; ANL-80-74, qrfac.
subroutine qrfac(m, n, a, lda, pivot, ipvt, lipvt, rdiag, acnorm, wa)
   use, intrinsic :: iso_c_binding, only: c_int, c_double
   use reference_qrfac, only: reference => qrfac
   implicit none

   integer(c_int), intent(in) :: m, n                !< the order of A
   integer(c_int), intent(in) :: lda                 !< leading dimension of a, at least m
   real(c_double), intent(inout) :: a(lda, n)        !< in: A; out: R above the diagonal
   logical, intent(in) :: pivot                      !< .false.: P is the identity
   integer(c_int), intent(in) :: lipvt               !< length of ipvt: n if pivot, else 1
   integer(c_int), intent(inout) :: ipvt(lipvt)      !< out, if pivot: the permutation P
   real(c_double), intent(out) :: rdiag(n)           !< the diagonal of R
   real(c_double), intent(out) :: acnorm(n)          !< norms of the columns of A
   real(c_double), intent(inout) :: wa(n)            !< work space

   call reference(m, n, a, lda, ipvt, rdiag, acnorm, wa, pivot)
end subroutine

!> x that minimizes |A x - b|² + |D x|², given A P = Q R; ANL-80-74, qrsolv.
subroutine qrsolv(n, r, ldr, ipvt, diag, qtb, x, sdiag, wa)
   use, intrinsic :: iso_c_binding, only: c_int, c_double
   use minpack_qrsolv, only: solve => qrsolv
   implicit none

   integer(c_int), intent(in) :: n            !< order of R
   integer(c_int), intent(in) :: ldr          !< leading dimension of r, at least n
   real(c_double), intent(inout) :: r(ldr, n) !< R above; out: S' strictly below
   integer(c_int), intent(in) :: ipvt(n)      !< the permutation P
   real(c_double), intent(in) :: diag(n)      !< the diagonal of D
   real(c_double), intent(in) :: qtb(n)       !< the first n entries of Q'b
   real(c_double), intent(out) :: x(n)        !< the solution
   real(c_double), intent(out) :: sdiag(n)    !< the diagonal of S
   real(c_double), intent(out) :: wa(n)       !< work space

   call solve(n, r, ldr, ipvt, diag, qtb, x, sdiag, wa)
end subroutine

!> The Levenberg-Marquardt parameter; ANL-80-74, lmpar.
subroutine lmpar(n, r, ldr, ipvt, diag, qtb, delta, par, x, sdiag, wa1, wa2)
   use, intrinsic :: iso_c_binding, only: c_int, c_double
   use minpack_lmpar, only: find => lmpar
   use reference_enorm, only: enorm
   implicit none

   integer(c_int), intent(in) :: n            !< order of R
   integer(c_int), intent(in) :: ldr          !< leading dimension of r, at least n
   real(c_double), intent(inout) :: r(ldr, n) !< R above; out: S' strictly below
   integer(c_int), intent(in) :: ipvt(n)      !< the permutation P, A P = Q R
   real(c_double), intent(in) :: diag(n)      !< the diagonal of D
   real(c_double), intent(in) :: qtb(n)       !< the first n entries of Q'b
   real(c_double), intent(in) :: delta        !< the bound on |D x|
   real(c_double), intent(inout) :: par       !< in: an estimate; out: the parameter
   real(c_double), intent(out) :: x(n)        !< the solution
   real(c_double), intent(out) :: sdiag(n)    !< the diagonal of S
   real(c_double), intent(out) :: wa1(n), wa2(n) !< work space

   call find(enorm, n, r, ldr, ipvt, diag, qtb, delta, par, x, sdiag, wa1, wa2)
end subroutine
