!> What every part of the library shares: the record of a fit, the table of
!> kernels, the requests, the INFO codes and the machine constants.
!>
!> The derived types mirror the structs of minpack.h, member for member.
module lm_types
   use, intrinsic :: iso_c_binding, only: c_double, c_int, c_ptr, c_funptr
   implicit none
   private

   public :: lm_state, lm_kernels
   public :: norm_kernel, difference_kernel, factor_kernel, factor_differences_kernel
   public :: larger, smaller, copy

   integer, parameter, public :: wp = c_double

   !> Machine constants with the digits that MINPACK gives them. They differ from
   !> epsilon(1d0) and tiny(1d0) in the twelfth digit, and the last bits of a fit
   !> depend on that.
   real(wp), parameter, public :: epsmch = 2.22044604926e-16_wp
   real(wp), parameter, public :: dwarf = 2.22507385852e-308_wp

   !> What the stepper asks of its driver.
   enum, bind(c)
      enumerator :: LM_DONE = 0   !< nothing: the fit has ended, see info
      enumerator :: LM_RESIDUALS  !< fvec_trial at x_trial, a trial point
      enumerator :: LM_DIFFERENCE !< fvec_trial at x_trial, which is x with one entry moved
      enumerator :: LM_JACOBIAN   !< fjac at x
      enumerator :: LM_ACCEPT     !< fvec := fvec_trial: the trial point is the new x
      enumerator :: LM_ITERATE    !< nothing: x, fvec and fjac belong to a new iterate
      enumerator :: LM_WEIGH      !< fjac and fvec_weighted: what the loss makes of fjac, fvec
   end enum
   public :: LM_DONE, LM_RESIDUALS, LM_DIFFERENCE, LM_JACOBIAN, LM_ACCEPT, LM_ITERATE, LM_WEIGH

   !> Why a fit ended. A negative value is the driver's own: the user stopped it.
   enum, bind(c)
      enumerator :: LM_BAD_INPUT = 0      !< an argument is out of its range
      enumerator :: LM_FTOL = 1           !< the sum of squares no longer falls by ftol
      enumerator :: LM_XTOL = 2           !< the step bound fell below xtol times x
      enumerator :: LM_FTOL_XTOL = 3      !< both at once
      enumerator :: LM_GTOL = 4           !< fvec is orthogonal to the Jacobian within gtol
      enumerator :: LM_MAXFEV = 5         !< maxfev evaluations made
      enumerator :: LM_FTOL_TOO_SMALL = 6 !< ftol asks for more than rounding allows
      enumerator :: LM_XTOL_TOO_SMALL = 7 !< xtol asks for more than rounding allows
      enumerator :: LM_GTOL_TOO_SMALL = 8 !< gtol asks for more than rounding allows
      enumerator :: LM_NOT_FINITE = 9     !< no finite norm of fvec, fjac, x or a step; not MINPACK's
   end enum
   public :: LM_BAD_INPUT, LM_FTOL, LM_XTOL, LM_FTOL_XTOL, LM_GTOL, LM_MAXFEV
   public :: LM_FTOL_TOO_SMALL, LM_XTOL_TOO_SMALL, LM_GTOL_TOO_SMALL, LM_NOT_FINITE

   !> The loops over m, behind one interface.
   type, bind(c) :: lm_kernels
      type(c_funptr) :: norm       !< procedure(norm_kernel)
      type(c_funptr) :: difference !< procedure(difference_kernel)
      type(c_funptr) :: factor     !< procedure(factor_kernel)
      type(c_funptr) :: factor_differences !< procedure(factor_differences_kernel), or null
      integer(c_int) :: faithful   !< 1: MINPACK's faults too; 0: they are mended
      integer(c_int) :: few        !< with fewer residuals, MINPACK's order of operations
      integer(c_int) :: many       !< with more, never; between them, where it matters
      type(c_ptr) :: in_order      !< the lm_kernels with that order, or null
   end type

   !> What kernels say of the columns that they have factored, or have not.
   enum, bind(c)
      enumerator :: LM_DEPENDENT = 1 !< some nearly depend on others
      enumerator :: LM_GO_IN_ORDER   !< so it is, and the kernels in_order should do it
   end enum
   public :: LM_DEPENDENT, LM_GO_IN_ORDER

   !> One fit. The caller owns every array and sets the first three groups; what is
   !> zero or null in the second is off.
   type, bind(c) :: lm_state
      ! The problem and its options
      integer(c_int) :: m        !< number of residuals
      integer(c_int) :: n        !< number of parameters, at most m
      integer(c_int) :: ldfjac   !< leading dimension of fjac, at least m
      integer(c_int) :: analytic !< 0: forward differences; 1: ask for LM_JACOBIAN
      integer(c_int) :: mode     !< 2: diag is the caller's; else it follows the columns
      integer(c_int) :: maxfev   !< limit on the evaluations of fvec
      real(c_double) :: ftol     !< relative error wanted in the sum of squares
      real(c_double) :: xtol     !< relative error wanted in x
      real(c_double) :: gtol     !< cosine wanted between fvec and the columns of fjac
      real(c_double) :: epsfcn   !< relative error of fvec, for the difference step
      real(c_double) :: factor   !< the first step bound, in units of |D x|
      real(c_double) :: rounding !< relative rounding error of fvec, with watch
      type(lm_kernels) :: kernels
      ! What goes beyond MINPACK
      integer(c_int) :: points        !< 3: second-order differences, without epsfcn; else forward ones
      integer(c_int) :: trials_only   !< 1: nfev and maxfev do not count differences
      integer(c_int) :: last_jacobian !< 1: LM_ITERATE comes for the last x too: after a step
      !<                                 that ends the fit its Jacobian is evaluated, and stays
      integer(c_int) :: weighted      !< 1: there is a loss: the driver sees to LM_WEIGH
      integer(c_int) :: deferred      !< 1: the factorization forms the differences; see minpack.h
      type(c_ptr) :: lower         !< (n) lower bounds on x, or null
      type(c_ptr) :: upper         !< (n) upper bounds on x; null where lower is
      type(c_ptr) :: diff_step     !< (n) difference steps relative to x, or null
      type(c_ptr) :: active        !< (5n) with bounds: -1 or 1 where x is on its lower or
      !<                              upper bound, else 0; then work space
      type(c_ptr) :: bounds_work   !< with bounds: lm_bounds_work(n) numbers of work space
      type(c_ptr) :: fvec_weighted !< (m) with a loss: the weighted residuals
      type(c_ptr) :: watch         !< (4n) work space: columns of differences that show nothing
      !<                              are taken again with longer steps; or null
      ! The arrays
      type(c_ptr) :: x           !< (n) the start; the best point so far
      type(c_ptr) :: fvec        !< (m) the residuals at x
      type(c_ptr) :: fjac        !< (ldfjac,n) the Jacobian at x; then its QR factors
      type(c_ptr) :: ipvt        !< (n) the permutation: column j of R is ipvt(j) of J
      type(c_ptr) :: diag        !< (n) the scale D of the parameters
      type(c_ptr) :: qtf         !< (n) the first n entries of Q'fvec
      type(c_ptr) :: x_trial     !< (n) where fvec_trial is wanted; else work space
      type(c_ptr) :: fvec_trial  !< (m) the residuals that were asked for
      type(c_ptr) :: step        !< (n) the step p; work space
      type(c_ptr) :: work_n      !< (n) work space
      type(c_ptr) :: work_m      !< (m) work space; may be fvec_trial unless points is 3
      type(c_ptr) :: scratch     !< what the kernels need beside: see lm_fast_scratch
      ! What the stepper says
      integer(c_int) :: request
      integer(c_int) :: info
      integer(c_int) :: nfev     !< evaluations of fvec asked for, differences included
      integer(c_int) :: njev     !< evaluations of fjac asked for
      integer(c_int) :: iter     !< iterates so far, the start included
      integer(c_int) :: ndiff    !< evaluations of fvec asked for, for differences alone
      integer(c_int) :: beyond   !< how often longer difference steps or another scale D have
      !<                            taken the fit from MINPACK's path
      integer(c_int) :: last     !< 1: the fit has ended, and fjac is or will be the Jacobian at x
      real(c_double) :: fnorm    !< |fvec|, or with a loss the root of twice the cost
      real(c_double) :: fnorm_trial !< the same of fvec_trial; with a loss the driver's
      ! Its memory between two steps
      integer(c_int) :: stage    !< where to go on
      integer(c_int) :: column   !< the column of fjac that is being differenced
      integer(c_int) :: side     !< its evaluation, 1 or 2
      integer(c_int) :: met      !< 1: the step has taken a parameter to its bound
      integer(c_int) :: touched  !< 1: a step has taken a parameter to its bound
      integer(c_int) :: trusted  !< 1: the last step did what the linear model said
      integer(c_int) :: scalings !< how often D has been set anew
      integer(c_int) :: dependent !< LM_DEPENDENT where columns of fjac nearly depended on
      !<                             others when they were factored last, else 0
      integer(c_int) :: watching !< 1: the columns are looked at once they have come
      integer(c_int) :: tries    !< longer steps of this column so far; -1: it is MINPACK's turn
      integer(c_int) :: gathered !< 1: with deferred, fjac has the last column too
      real(c_double) :: relative_step !< the difference step for x_j = 1
      real(c_double) :: h        !< the difference step of that column
      real(c_double) :: h_first  !< the one of its first evaluation
      real(c_double) :: longer   !< its length, before bounds have cut it
      real(c_double) :: tame     !< the last one that was no longer than wanted
      real(c_double) :: xnorm    !< |D x|
      real(c_double) :: pnorm    !< |D p|
      real(c_double) :: gnorm    !< largest cosine between fvec and a column of fjac
      real(c_double) :: delta    !< the step bound: |D p| <= delta
      real(c_double) :: par      !< the Levenberg-Marquardt parameter
      type(lm_kernels) :: working !< the kernels that work: the caller's, or their in_order
   end type

   abstract interface
      !> The Euclidean norm of x(1:m).
      function norm_kernel(m, x) result(norm) bind(c)
         import :: c_int, c_double
         integer(c_int), value, intent(in) :: m
         real(c_double), intent(in) :: x(*)
         real(c_double) :: norm
      end function

      !> column = (f - fvec)/h, a column of the forward-difference Jacobian.
      subroutine difference_kernel(m, f, fvec, h, column) bind(c)
         import :: c_int, c_double
         integer(c_int), value, intent(in) :: m
         real(c_double), intent(in) :: f(*)      !< (m) residuals at x + h e_j
         real(c_double), intent(in) :: fvec(*)   !< (m) residuals at x
         real(c_double), value, intent(in) :: h  !< the difference step
         real(c_double), intent(out) :: column(*)!< (m) column j of the Jacobian
      end subroutine

      !> The QR factors of fjac with column pivoting, J P = Q R, and Q'fvec. Where dependent
      !> becomes LM_GO_IN_ORDER nothing has been done: the kernels in_order are to do it.
      subroutine factor_kernel(m, n, fjac, ldfjac, ipvt, acnorm, rdiag, work_n, fvec, &
                               fnorm, qtf, dependent, scratch) bind(c)
         import :: c_int, c_double, c_ptr
         integer(c_int), value, intent(in) :: m, n, ldfjac
         real(c_double), intent(inout) :: fjac(ldfjac, *) !< in: J; out: R above
         integer(c_int), intent(out) :: ipvt(*)  !< (n) the permutation P
         real(c_double), intent(out) :: acnorm(*)!< (n) norms of the columns of J
         real(c_double), intent(out) :: rdiag(*) !< (n) work space
         real(c_double), intent(out) :: work_n(*)!< (n) work space
         real(c_double), intent(in) :: fvec(*)   !< (m) the residuals
         real(c_double), value, intent(in) :: fnorm !< their norm
         real(c_double), intent(out) :: qtf(*)   !< (m) Q'fvec, in the first n places
         integer(c_int), intent(inout) :: dependent !< see lm_state
         type(c_ptr), value, intent(in) :: scratch
      end subroutine

      !> The same of a forward-difference Jacobian that is formed on the way: column j is
      !> (f_j - fvec)/h_j, with f_j the residuals at x + h_j e_j.
      subroutine factor_differences_kernel(m, n, fjac, ldfjac, f_n, h_to_acnorm, ipvt, &
                                           rdiag, work_n, fvec, fnorm, qtf, dependent, &
                                           scratch) bind(c)
         import :: c_int, c_double, c_ptr
         integer(c_int), value, intent(in) :: m, n, ldfjac
         real(c_double), intent(inout) :: fjac(ldfjac, *) !< in: f_j, j < n; out: R above
         real(c_double), intent(in) :: f_n(*)    !< (m) f_j, j = n
         real(c_double), intent(inout) :: h_to_acnorm(*) !< (n) in: h; out: norms of the columns
         integer(c_int), intent(out) :: ipvt(*)  !< (n) the permutation P
         real(c_double), intent(out) :: rdiag(*) !< (n) work space
         real(c_double), intent(out) :: work_n(*)!< (n) work space
         real(c_double), intent(in) :: fvec(*)   !< (m) the residuals
         real(c_double), value, intent(in) :: fnorm !< their norm
         real(c_double), intent(out) :: qtf(*)   !< (m) Q'fvec, in the first n places
         integer(c_int), intent(inout) :: dependent !< see lm_state
         type(c_ptr), value, intent(in) :: scratch
      end subroutine
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

   !> to = from, which as pointers would be copied to a temporary first.
   subroutine copy(m, from, to)
      integer(c_int), intent(in) :: m
      real(wp), intent(in) :: from(m)
      real(wp), intent(out) :: to(m)

      to = from
   end subroutine
end module
