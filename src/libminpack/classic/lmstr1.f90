!> lmstr with one tolerance; ANL-80-74, lmstr1.
subroutine lmstr1(fcn, m, n, x, fvec, fjac, ldfjac, tol, info, ipvt, wa, lwa)
   use, intrinsic :: iso_c_binding, only: c_int, c_double, c_int64_t
   use lm_types, only: LM_BAD_INPUT, LM_GTOL, LM_GTOL_TOO_SMALL
   implicit none

   external :: fcn                               !< residuals and rows, as lmstr calls them
   integer(c_int), intent(in) :: m               !< number of residuals
   integer(c_int), intent(in) :: n               !< number of parameters
   integer(c_int), intent(in) :: ldfjac          !< leading dimension of fjac, at least n
   real(c_double), intent(inout) :: x(n)         !< in: the start; out: the solution
   real(c_double), intent(inout) :: fvec(m)      !< out: the residuals at x
   real(c_double), intent(inout) :: fjac(ldfjac, n) !< out: R
   real(c_double), intent(in) :: tol             !< relative error wanted in x and in fvec
   integer(c_int), intent(out) :: info           !< why it ended
   integer(c_int), intent(inout) :: ipvt(n)      !< out: the permutation P
   integer(c_int), intent(in) :: lwa             !< length of wa, at least 5*n+m
   real(c_double), intent(inout) :: wa(lwa)      !< work space
   external :: lmstr

   integer(c_int) :: nfev, njev

   info = LM_BAD_INPUT
   if (n <= 0 .or. m < n .or. ldfjac < n .or. tol < 0) return
   if (lwa < 5*int(n, c_int64_t) + m) return
   call lmstr(fcn, m, n, x, fvec, fjac, ldfjac, tol, tol, 0.0_c_double, 100*(n + 1), wa, 1, &
              100.0_c_double, 0, info, nfev, njev, ipvt, wa(n + 1), wa(2*n + 1), wa(3*n + 1), &
              wa(4*n + 1), wa(5*n + 1))
   if (info == LM_GTOL_TOO_SMALL) info = LM_GTOL
end subroutine
