!> Least squares with the user's Jacobian: the driver with MINPACK's calling
!> sequence, and the one for C.
!>
!> Deviation: where fcn stops the fit in its first call, fvec is what it was before;
!> MINPACK leaves there what fcn did. Shown by tests/test_classic.py.

!> Minimize |fvec(x)|²; ANL-80-74, lmder.
subroutine lmder(fcn, m, n, x, fvec, fjac, ldfjac, ftol, xtol, gtol, maxfev, diag, mode, &
                 factor, nprint, info, nfev, njev, ipvt, qtf, wa1, wa2, wa3, wa4)
   use, intrinsic :: iso_c_binding, only: c_int, c_double
   use lm_types
   use lm, only: lm_step
   use lm_driver, only: lm_prepare
   implicit none

   interface
      !> iflag 1: residuals at x; 2: the Jacobian at x; 0 asks for no more than a
      !> look at x, fvec and fjac. A negative iflag on return stops the fit.
      subroutine fcn(m, n, x, fvec, fjac, ldfjac, iflag)
         import :: c_int, c_double
         integer(c_int) :: m, n, ldfjac, iflag
         real(c_double) :: x(n), fvec(m), fjac(ldfjac, n)
      end subroutine
   end interface
   integer(c_int), intent(in) :: m             !< number of residuals
   integer(c_int), intent(in) :: n             !< number of parameters
   real(c_double), target, intent(inout) :: x(n)     !< in: the start; out: the solution
   real(c_double), target, intent(inout) :: fvec(m)  !< out: the residuals at x
   integer(c_int), intent(in) :: ldfjac        !< leading dimension of fjac, at least m
   real(c_double), target, intent(inout) :: fjac(ldfjac, n) !< out: R, and reflectors below
   real(c_double), intent(in) :: ftol          !< relative error wanted in the sum of squares
   real(c_double), intent(in) :: xtol          !< relative error wanted in x
   real(c_double), intent(in) :: gtol          !< cosine wanted between fvec and J's columns
   integer(c_int), intent(in) :: maxfev        !< limit on the calls of fcn with iflag 1
   real(c_double), target, intent(inout) :: diag(n)  !< the scale of x: in if mode is 2, else out
   integer(c_int), intent(in) :: mode          !< 1: scale by the columns of J; 2: by diag
   real(c_double), intent(in) :: factor        !< the first step bound, in units of |D x|
   integer(c_int), intent(in) :: nprint        !< > 0: fcn with iflag 0 every nprint iterates
   integer(c_int), intent(out) :: info         !< why it ended; negative: fcn's iflag
   integer(c_int), intent(out) :: nfev         !< calls of fcn with iflag 1
   integer(c_int), intent(out) :: njev         !< calls of fcn with iflag 2
   integer(c_int), target, intent(inout) :: ipvt(n)  !< out: the permutation P, J P = Q R
   real(c_double), target, intent(inout) :: qtf(n)   !< out: the first n entries of Q'fvec
   real(c_double), target, intent(inout) :: wa1(n), wa2(n), wa3(n), wa4(m) !< work space

   type(lm_state) :: s
   integer(c_int) :: iflag

   call lm_prepare(s, m, n, ldfjac, ftol, xtol, gtol, maxfev, mode, factor, x, fvec, fjac, &
                   ipvt, diag, qtf, wa1, wa2, wa3, wa4)
   s%analytic = 1
   do
      call lm_step(s)
      iflag = 0
      select case (s%request)
      case (LM_DONE)
         exit
      case (LM_RESIDUALS)
         iflag = 1
         call fcn(m, n, wa2, wa4, fjac, ldfjac, iflag)
      case (LM_JACOBIAN)
         iflag = 2
         call fcn(m, n, x, fvec, fjac, ldfjac, iflag)
      case (LM_ACCEPT)
         fvec = wa4
      case (LM_ITERATE)
         if (nprint > 0) then
            if (mod(s%iter - 1, nprint) == 0) &
               call fcn(m, n, x, fvec, fjac, ldfjac, iflag)
         end if
      end select
      if (iflag < 0) exit
   end do

   info = s%info
   if (iflag < 0) info = iflag
   nfev = s%nfev
   njev = s%njev
   iflag = 0
   if (nprint > 0) call fcn(m, n, x, fvec, fjac, ldfjac, iflag)
end subroutine

!> The same for C: the functions take user_data, and info is the value.
function minpack_lmder(residuals, jacobian, user_data, m, n, x, fvec, fjac, ldfjac, ftol, &
                       xtol, gtol, maxfev, diag, mode, factor, nfev, njev, ipvt, qtf, work) &
   result(info) bind(c)
   use, intrinsic :: iso_c_binding, only: c_int, c_double, c_ptr
   use lm_types, only: lm_state
   use lm_driver, only: lm_prepare, lm_run, residuals_function, jacobian_function
   implicit none

   procedure(residuals_function) :: residuals
   procedure(jacobian_function) :: jacobian
   type(c_ptr), value, intent(in) :: user_data
   integer(c_int), value, intent(in) :: m, n, ldfjac, maxfev, mode
   real(c_double), target, intent(inout) :: x(n), fvec(m), fjac(ldfjac, n), diag(n), qtf(n)
   real(c_double), value, intent(in) :: ftol, xtol, gtol, factor
   integer(c_int), intent(out) :: nfev, njev
   integer(c_int), target, intent(inout) :: ipvt(n)
   real(c_double), target, intent(inout) :: work(m + 3*n) !< work space
   integer(c_int) :: info

   type(lm_state) :: s

   call lm_prepare(s, m, n, ldfjac, ftol, xtol, gtol, maxfev, mode, factor, x, fvec, fjac, &
                   ipvt, diag, qtf, work(m + 1), work(m + n + 1), work(m + 2*n + 1), work)
   s%analytic = 1
   call lm_run(s, residuals, jacobian, user_data)
   nfev = s%nfev
   njev = s%njev
   info = s%info
end function
