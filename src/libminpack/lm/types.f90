!> What every part of the algorithm shares: its record, the requests, the INFO codes and
!> the machine constants.
!>
!> The derived types mirror the structs of minpack.h, member for member; sizes.f90
!> and step.c do not compile where their sizes differ. Arrays come as arguments, so the
!> members for them are not used here.
module lm_types
   use, intrinsic :: iso_c_binding, only: c_double, c_int, c_ptr, c_funptr
   implicit none
   private

   public :: lm_state, lm_differences, norm_kernel, larger, smaller

   integer, parameter, public :: wp = c_double

   !> Machine constants with the digits that MINPACK gives them. They differ from
   !> epsilon(1d0) and tiny(1d0) in the twelfth digit, and the last bits of a fit
   !> depend on that.
   real(wp), parameter, public :: epsmch = 2.22044604926e-16_wp
   real(wp), parameter, public :: dwarf = 2.22507385852e-308_wp

   !> What the algorithm asks of its driver.
   enum, bind(c)
      enumerator :: LM_DONE      !< nothing: the fit has ended, see info
      enumerator :: LM_RESIDUALS !< fnorm_trial, the norm of the residuals at x_trial
      enumerator :: LM_LINEARIZE !< r, ipvt, qtf, acnorm and fnorm at x
      enumerator :: LM_ACCELERATE !< second, from the residuals at x_trial
   end enum
   public :: LM_DONE, LM_RESIDUALS, LM_LINEARIZE, LM_ACCELERATE

   !> Why a fit ended. A negative value is its driver's own.
   enum, bind(c)
      enumerator :: LM_BAD_INPUT      !< an argument is out of its range
      enumerator :: LM_FTOL           !< the sum of squares no longer falls by ftol
      enumerator :: LM_XTOL           !< the step bound fell below xtol times x
      enumerator :: LM_FTOL_XTOL      !< both at once
      enumerator :: LM_GTOL           !< fvec is orthogonal to the Jacobian within gtol
      enumerator :: LM_MAXFEV         !< maxfev evaluations made
      enumerator :: LM_FTOL_TOO_SMALL !< ftol asks for more than rounding allows
      enumerator :: LM_XTOL_TOO_SMALL !< xtol asks for more than rounding allows
      enumerator :: LM_GTOL_TOO_SMALL !< gtol asks for more than rounding allows
      enumerator :: LM_NOT_FINITE     !< no finite norm of fvec, fjac, x or a step
   end enum
   public :: LM_BAD_INPUT, LM_FTOL, LM_XTOL, LM_FTOL_XTOL, LM_GTOL, LM_MAXFEV
   public :: LM_FTOL_TOO_SMALL, LM_XTOL_TOO_SMALL, LM_GTOL_TOO_SMALL, LM_NOT_FINITE

   !> Where lm_step goes on.
   enum, bind(c)
      enumerator :: LM_STAGE_START           !< at the input
      enumerator :: LM_STAGE_FIRST_RESIDUALS !< with those at the start
      enumerator :: LM_STAGE_LINEARIZED      !< with the factors at x
      enumerator :: LM_STAGE_TRIED           !< with the residuals at x_trial
      enumerator :: LM_STAGE_PROPOSE         !< with another step
      enumerator :: LM_STAGE_BENT            !< with the second derivative along a step
      enumerator :: LM_STAGE_ENDED
   end enum
   public :: LM_STAGE_START, LM_STAGE_FIRST_RESIDUALS, LM_STAGE_LINEARIZED, LM_STAGE_TRIED
   public :: LM_STAGE_PROPOSE, LM_STAGE_ENDED, LM_STAGE_BENT

   !> One fit, but for its residuals.
   type, bind(c) :: lm_state
      ! The problem and the options
      integer(c_int) :: n      !< number of parameters
      integer(c_int) :: ldr    !< leading dimension of r
      integer(c_int) :: mode   !< 2: diag is the caller's; else D follows the columns of J
      integer(c_int) :: maxfev !< limit on nfev
      integer(c_int) :: mends  !< 1: what MINPACK does with NaN and tiny starts is mended
      integer(c_int) :: accelerates !< 1: geodesic acceleration bends each step
      real(c_double) :: ftol   !< relative error wanted in the sum of squares
      real(c_double) :: xtol   !< relative error wanted in x
      real(c_double) :: gtol   !< cosine wanted between fvec and the columns of J
      real(c_double) :: factor !< the first step bound, in units of |D x|
      ! The arrays
      type(c_ptr) :: lower, upper, x, x_trial, diag, r, qtf, acnorm, step, work, work_lmpar
      type(c_ptr) :: work_bounds, second, ipvt, active
      type(c_funptr) :: norm
      ! The report
      integer(c_int) :: request, info
      integer(c_int) :: nfev   !< evaluations of the residuals
      integer(c_int) :: iter   !< iterates so far, the start included
      integer(c_int) :: moved  !< 1: the last lm_step made x_trial the new x
      integer(c_int) :: beyond !< how often the fit has left MINPACK's path
      real(c_double) :: fnorm  !< |fvec|, or with a loss the root of twice the cost
      real(c_double) :: fnorm_trial !< the same at x_trial
      real(c_double) :: lowered !< the part of |fvec|² that the last step taken has saved
      ! Its memory between two steps
      integer(c_int) :: stage    !< where to go on
      integer(c_int) :: met      !< 1: the step has taken a parameter to its bound
      integer(c_int) :: touched  !< 1: an earlier step has done so
      integer(c_int) :: trusted  !< 1: the last step did what the linear model said
      integer(c_int) :: scalings !< how often D has been set anew
      integer(c_int) :: free     !< of a step that a bound has cut, parameters not held; or -1
      real(c_double) :: xnorm    !< |D x|
      real(c_double) :: pnorm    !< |D p|
      real(c_double) :: gnorm    !< largest cosine between fvec and a column of J
      real(c_double) :: delta    !< the step bound: |D p| <= delta
      real(c_double) :: par      !< the Levenberg-Marquardt parameter
      real(c_double) :: added    !< p'C p/|fvec|², see acceleration.f90; or 0
   end type

   !> The points of a Jacobian by differences.
   type, bind(c) :: lm_differences
      ! The options
      integer(c_int) :: points    !< 3: two points a column, of second order; else one
      integer(c_int) :: uncounted !< 1: nfev does not count these evaluations
      real(c_double) :: epsfcn    !< relative error of fvec, for the step
      real(c_double) :: rounding  !< relative rounding error of fvec, with watch
      ! The arrays
      type(c_ptr) :: diff_step, h, watch
      ! The report
      integer(c_int) :: count     !< evaluations for differences so far
      ! Its memory
      integer(c_int) :: only      !< the one parameter that has points now, or 0: all have
      integer(c_int) :: tries     !< longer steps of that parameter so far; -1: none yet
      integer(c_int) :: watching  !< 1: the columns are looked at once they are there
      integer(c_int) :: gathered  !< 1: fjac has the last column too, not `last` alone
      integer(c_int) :: moved     !< the parameter that x_trial has moved, from 0; -1: none
      real(c_double) :: longer    !< the length of that step, before bounds have cut it
      real(c_double) :: tame      !< the last one that was no longer than wanted
   end type

   abstract interface
      !> The Euclidean norm of x(1:n).
      function norm_kernel(n, x) result(norm) bind(c)
         import :: c_int, c_double
         integer(c_int), value, intent(in) :: n
         real(c_double), intent(in) :: x(*)
         real(c_double) :: norm
      end function
   end interface

contains

   !> max(a, b), where a NaN gives way to the other. Fortran leaves that case of max
   !> to the compiler; this is what it is in MINPACK as it has long been compiled.
   elemental function larger(a, b) result(c)
      real(wp), intent(in) :: a, b
      real(wp) :: c

      c = a
      if (b > a .or. a /= a) c = b
   end function

   !> min(a, b), with NaN as in larger.
   elemental function smaller(a, b) result(c)
      real(wp), intent(in) :: a, b
      real(wp) :: c

      c = a
      if (b < a .or. a /= a) c = b
   end function
end module
