!> lmdif with one tolerance; ANL-80-74, lmdif1.
subroutine lmdif1(fcn, m, n, x, fvec, tol, info, iwa, wa, lwa)
   use, intrinsic :: iso_c_binding, only: c_int, c_double, c_int64_t
   use lm_types, only: LM_BAD_INPUT, LM_GTOL, LM_GTOL_TOO_SMALL
   implicit none

   external :: fcn                               !< residuals, as lmdif calls them
   integer(c_int), intent(in) :: m               !< number of residuals
   integer(c_int), intent(in) :: n               !< number of parameters
   real(c_double), intent(inout) :: x(n)         !< in: the start; out: the solution
   real(c_double), intent(inout) :: fvec(m)      !< out: the residuals at x
   real(c_double), intent(in) :: tol             !< relative error wanted in x and in fvec
   integer(c_int), intent(out) :: info           !< why it ended
   integer(c_int), intent(inout) :: iwa(n)       !< work space
   integer(c_int), intent(in) :: lwa             !< length of wa, at least m*n+5*n+m
   real(c_double), intent(inout) :: wa(lwa)      !< work space
   external :: lmdif

   integer(c_int) :: nfev, fjac

   info = LM_BAD_INPUT
   if (n <= 0 .or. m < n .or. tol < 0) return
   if (lwa < int(m, c_int64_t)*n + 5*int(n, c_int64_t) + m) return
   fjac = m + 5*n + 1
   call lmdif(fcn, m, n, x, fvec, tol, tol, 0.0_c_double, 200*(n + 1), 0.0_c_double, wa, 1, &
              100.0_c_double, 0, info, nfev, wa(fjac), m, iwa, wa(n + 1), wa(2*n + 1), &
              wa(3*n + 1), wa(4*n + 1), wa(5*n + 1))
   if (info == LM_GTOL_TOO_SMALL) info = LM_GTOL
end subroutine
