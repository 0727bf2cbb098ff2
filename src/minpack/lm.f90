!> The Levenberg-Marquardt algorithm, once, as a stepper.
!>
!> A fit minimizes |fvec(x)|². At x with Jacobian J the step p minimizes
!> |fvec + J p| subject to |D p| <= delta; delta follows the ratio of the actual
!> to the predicted reduction.
!>
!> The stepper evaluates nothing. lm_step advances the fit until it needs
!> something, says what in s%request, and returns; the driver sees to it and calls
!> again, until LM_DONE:
!>
!>     call lm_start(s)
!>     do
!>        call lm_step(s)
!>        select case (s%request)
!>        case (LM_DONE); exit
!>        case (LM_RESIDUALS, LM_DIFFERENCE); evaluate fvec_trial at x_trial
!>        case (LM_JACOBIAN); evaluate fjac at x
!>        case (LM_ACCEPT); fvec = fvec_trial
!>        case (LM_WEIGH); fjac and fvec_weighted by the loss, if there is one
!>        end select
!>     end do
!>
!> Sources: J. J. Moré, The Levenberg-Marquardt algorithm: implementation and
!> theory, in Numerical Analysis, Lecture Notes in Mathematics 630, Springer
!> (1978), 105-116; J. J. Moré, B. S. Garbow and K. E. Hillstrom, User Guide for
!> MINPACK-1, Argonne National Laboratory report ANL-80-74 (1980). Constants and
!> the order of operations are MINPACK's: lmder and lmdif, which differ only in
!> how they come by J. What goes beyond MINPACK is off unless the state asks for it:
!> bounds on x (lm_bounds.f90), second-order differences (lm_differences.f90), and a loss:
!> then the cost takes the place of |fvec|²/2, and the model is that of weighted residuals.
module lm
   use, intrinsic :: iso_c_binding, only: c_int, c_double, c_ptr
   use, intrinsic :: iso_c_binding, only: c_associated, c_funloc, c_null_funptr, c_null_ptr
   use, intrinsic :: iso_c_binding, only: c_f_pointer, c_f_procpointer
   use lm_types
   use lm_bounds
   use lm_differences, only: start_differences, next_difference
   use minpack_covar, only: scaled_covar, covar_of_some
   use minpack_lmpar, only: lmpar
   use reference_enorm, only: enorm
   use reference_difference, only: difference
   use reference_qrfac, only: factor
   implicit none
   private

   public :: lm_start, lm_step, lm_covariance, lm_reference_kernels

   !> Where lm_step goes on.
   enum, bind(c)
      enumerator :: START, FIRST_RESIDUALS, LINEARIZE, DIFFERENCES, REPORT, WEIGH
      enumerator :: FACTORIZE, PROPOSE, JUDGE, FINISH
   end enum

   !> s%request while the stepper needs nothing
   integer(c_int), parameter :: NOTHING = -1

   !> Tolerances that let rounding errors end a fit, for sums of hundreds of squares
   real(wp), parameter :: last_bits = 1.0e-13_wp

   !> A first step that changes the residuals by less than this part of them is none.
   real(wp), parameter :: no_change = 1.0e-6_wp
   !> By how much a column is shorter than D says where that is not to be relied on
   real(wp), parameter :: much_shorter = 100
   !> A cosine that is no sign of a minimum
   real(wp), parameter :: far_from_zero = 0.001_wp
   integer, parameter :: most_scalings = 3
   !> A ratio of reductions that differs so little from 1 is that of a linear problem.
   real(wp), parameter :: as_predicted = 0.001_wp

contains

   !> The kernels with MINPACK's order of operations.
   subroutine lm_reference_kernels(kernels) bind(c)
      type(lm_kernels), intent(out) :: kernels

      kernels%norm = c_funloc(enorm)
      kernels%difference = c_funloc(difference)
      kernels%factor = c_funloc(factor)
      kernels%factor_differences = c_null_funptr
      kernels%faithful = 1
      kernels%few = 0
      kernels%many = 0
      kernels%in_order = c_null_ptr
   end subroutine

   !> Make a state ready for its first lm_step. The problem, the options, the
   !> kernels and the arrays have been set.
   subroutine lm_start(s) bind(c)
      type(lm_state), intent(inout) :: s

      s%stage = START
      s%info = LM_BAD_INPUT
      s%nfev = 0
      s%njev = 0
      s%iter = 1
      s%ndiff = 0
      s%beyond = 0
      s%met = 0
      s%touched = 0
      s%trusted = 0
      s%scalings = 0
      s%dependent = 0
      s%last = 0
      s%par = 0
      s%working = s%kernels
      if (s%kernels%faithful == 0) call forget_signs(s%scratch)
      if (c_associated(s%kernels%in_order) .and. starts_in_order(s)) call go_on_in_order(s)
   end subroutine

   !> Nothing has been factored that lm_orient could give other signs.
   subroutine forget_signs(scratch)
      type(c_ptr), intent(in) :: scratch
      real(wp), pointer :: signs_open

      if (.not. c_associated(scratch)) return
      call c_f_pointer(scratch, signs_open)
      signs_open = 0
   end subroutine

   !> Whether MINPACK's order of operations costs little, or rounding errors will end the fit.
   pure logical function starts_in_order(s)
      type(lm_state), intent(in) :: s

      starts_in_order = s%m < s%kernels%few
      if (s%m <= s%kernels%many .and. s%ftol <= last_bits .and. s%xtol <= last_bits .and. &
          s%gtol <= last_bits) starts_in_order = .true.
   end function

   !> Work in MINPACK's order of operations from now on.
   subroutine go_on_in_order(s)
      type(lm_state), intent(inout) :: s
      type(lm_kernels), pointer :: in_order

      if (c_associated(s%kernels%in_order)) then
         call c_f_pointer(s%kernels%in_order, in_order)
         s%working = in_order
      else
         call lm_reference_kernels(s%working)
      end if
      s%dependent = 0
   end subroutine

   !> Advance a fit to the next thing it needs, or to its end.
   subroutine lm_step(s) bind(c)
      type(lm_state), intent(inout) :: s

      s%request = NOTHING
      do while (s%request == NOTHING)
         select case (s%stage)
         case (LINEARIZE)
            call linearize_at_x(s)
         case (DIFFERENCES)
            if (next_difference(s)) then
               call ask(s, LM_DIFFERENCE, then=DIFFERENCES)
            else
               s%stage = REPORT
            end if
         case (REPORT)
            call ask(s, LM_ITERATE, then=FACTORIZE)
            if (s%last /= 0) s%stage = FINISH
            if (s%weighted /= 0) s%stage = WEIGH
         case (WEIGH)
            call ask(s, LM_WEIGH, then=FACTORIZE)
            if (s%last /= 0) s%stage = FINISH
         case (FINISH)
            call ask(s, LM_DONE, then=FINISH)
         case default
            call compute(s)
         end select
      end do
   end subroutine

   subroutine linearize_at_x(s)
      type(lm_state), intent(inout) :: s

      if (s%analytic /= 0) then
         s%njev = s%njev + 1
         call ask(s, LM_JACOBIAN, then=REPORT)
      else
         call start_differences(s)
         s%stage = DIFFERENCES
      end if
   end subroutine

   !> A stage that computes with the arrays of the fit.
   subroutine compute(s)
      type(lm_state), intent(inout) :: s

      procedure(norm_kernel), pointer :: norm
      real(wp), pointer, contiguous, dimension(:) :: x, fvec, diag, qtf
      real(wp), pointer, contiguous, dimension(:) :: x_trial, fvec_trial, step, work_n, work_m
      real(wp), pointer, contiguous :: fjac(:, :)
      integer(c_int), pointer, contiguous :: ipvt(:)

      call c_f_procpointer(s%working%norm, norm)
      call c_f_pointer(s%x, x, [s%n])
      call c_f_pointer(s%fvec, fvec, [s%m])
      call c_f_pointer(s%fjac, fjac, [s%ldfjac, s%n])
      call c_f_pointer(s%ipvt, ipvt, [s%n])
      call c_f_pointer(s%diag, diag, [s%n])
      call c_f_pointer(s%qtf, qtf, [s%n])
      call c_f_pointer(s%x_trial, x_trial, [s%n])
      call c_f_pointer(s%fvec_trial, fvec_trial, [s%m])
      call c_f_pointer(s%step, step, [s%n])
      call c_f_pointer(s%work_n, work_n, [s%n])
      call c_f_pointer(s%work_m, work_m, [s%m])

      do
         select case (s%stage)
         case (START)
            if (c_associated(s%lower)) call note_active(s, x)
            call check_input(s, diag, x, x_trial)

         case (FIRST_RESIDUALS)
            if (s%weighted == 0) s%fnorm_trial = norm(s%m, fvec_trial)
            s%fnorm = s%fnorm_trial
            s%stage = LINEARIZE
            if (.not. is_usable(s, s%fnorm)) call finish_with(s, LM_NOT_FINITE)
            call ask(s, LM_ACCEPT, then=s%stage)

         case (FACTORIZE)
            call find_factors(s, fjac, ipvt, x_trial, step, work_n, fvec, work_m)
            if (s%dependent == LM_GO_IN_ORDER) then
               call go_on_in_order(s)
               call c_f_procpointer(s%working%norm, norm)
               if (s%weighted == 0) s%fnorm = norm(s%m, fvec)
               call find_factors(s, fjac, ipvt, x_trial, step, work_n, fvec, work_m)
            end if
            call test_gradient(s, norm, x, fjac, ipvt, diag, qtf, x_trial, work_n, work_m)

         case (PROPOSE)
            if (c_associated(s%lower)) then
               call find_bounded_step(s, norm, x, fjac, ipvt, diag, qtf, step)
            else
               call lmpar(norm, s%n, fjac, s%ldfjac, ipvt, diag, qtf, s%delta, s%par, &
                          step, x_trial, work_n, work_m)
               step = -step
            end if
            call make_trial_point(s, norm, x, diag, step, x_trial, work_n)

         case (JUDGE)
            if (s%weighted == 0) s%fnorm_trial = norm(s%m, fvec_trial)
            call judge_step(s, norm, s%fnorm_trial, x, fjac, ipvt, diag, qtf, &
                            x_trial, step, work_n)
         end select
         if (s%stage /= PROPOSE .or. s%request /= NOTHING) exit ! else with the same arrays
      end do
   end subroutine

   !> The factors of the Jacobian, or of the weighted one, and Q'f.
   subroutine find_factors(s, fjac, ipvt, acnorm, work_n, second_work_n, fvec, qtf)
      type(lm_state), intent(inout) :: s
      real(wp), intent(inout), target :: fjac(s%ldfjac, s%n)
      integer(c_int), intent(out) :: ipvt(s%n)
      real(wp), intent(out) :: acnorm(s%n)    !< the norms of the columns of J
      real(wp), intent(inout) :: work_n(s%n)  !< in: the difference steps; then work space
      real(wp), intent(out) :: second_work_n(s%n) !< work space
      real(wp), intent(in) :: fvec(s%m)
      real(wp), intent(out) :: qtf(s%m)       !< Q'fvec
      procedure(norm_kernel), pointer :: norm
      procedure(factor_kernel), pointer :: factor
      procedure(factor_differences_kernel), pointer :: factor_differences
      real(wp), pointer, contiguous :: fvec_trial(:), fvec_weighted(:)

      call c_f_procpointer(s%working%factor, factor)
      if (s%deferred /= 0) then
         call c_f_pointer(s%fvec_trial, fvec_trial, [s%m])
         if (s%gathered /= 0) fvec_trial => fjac(:s%m, s%n)
         call c_f_procpointer(s%working%factor_differences, factor_differences)
         call factor_differences(s%m, s%n, fjac, s%ldfjac, fvec_trial, work_n, ipvt, acnorm, &
                                 second_work_n, fvec, s%fnorm, qtf, s%dependent, s%scratch)
         if (s%dependent /= LM_GO_IN_ORDER) acnorm = work_n
      else if (s%weighted /= 0) then
         call c_f_procpointer(s%working%norm, norm)
         call c_f_pointer(s%fvec_weighted, fvec_weighted, [s%m])
         call factor(s%m, s%n, fjac, s%ldfjac, ipvt, acnorm, work_n, second_work_n, &
                     fvec_weighted, norm(s%m, fvec_weighted), qtf, s%dependent, s%scratch)
      else
         call factor(s%m, s%n, fjac, s%ldfjac, ipvt, acnorm, work_n, second_work_n, fvec, &
                     s%fnorm, qtf, s%dependent, s%scratch)
      end if
   end subroutine

   subroutine ask(s, request, then)
      type(lm_state), intent(inout) :: s
      integer(c_int), intent(in) :: request, then

      s%request = request
      s%stage = then
   end subroutine

   subroutine finish_with(s, info)
      type(lm_state), intent(inout) :: s
      integer(c_int), intent(in) :: info

      s%info = info
      s%stage = FINISH
   end subroutine

   subroutine ask_for_residuals(s, then)
      type(lm_state), intent(inout) :: s
      integer(c_int), intent(in) :: then

      s%nfev = s%nfev + 1
      call ask(s, LM_RESIDUALS, then)
   end subroutine

   subroutine check_input(s, diag, x, x_trial)
      type(lm_state), intent(inout) :: s
      real(wp), intent(in) :: diag(s%n), x(s%n)
      real(wp), intent(out) :: x_trial(s%n)
      logical :: bad

      bad = s%n <= 0 .or. s%m < s%n .or. s%ldfjac < s%m .or. s%maxfev <= 0 .or. &
            s%ftol < 0 .or. s%xtol < 0 .or. s%gtol < 0 .or. s%factor <= 0
      if (.not. bad .and. s%mode == 2) bad = any(diag <= 0)
      if (.not. bad .and. c_associated(s%lower)) bad = .not. starts_within(s, x)
      if (bad) then
         call finish_with(s, LM_BAD_INPUT)
      else
         x_trial = x
         call ask_for_residuals(s, then=FIRST_RESIDUALS)
      end if
   end subroutine

   logical function starts_within(s, x)
      type(lm_state), intent(in) :: s
      real(wp), intent(in) :: x(s%n)
      real(wp), pointer, contiguous :: lower(:), upper(:)

      call c_f_pointer(s%lower, lower, [s%n])
      call c_f_pointer(s%upper, upper, [s%n])
      starts_within = within_bounds(s%n, x, lower, upper)
   end function

   !> Which bounds x is on.
   subroutine note_active(s, x)
      type(lm_state), intent(in) :: s
      real(wp), intent(in) :: x(s%n)
      real(wp), pointer, contiguous :: lower(:), upper(:)
      integer(c_int), pointer, contiguous :: active(:)

      call c_f_pointer(s%lower, lower, [s%n])
      call c_f_pointer(s%upper, upper, [s%n])
      call c_f_pointer(s%active, active, [s%n])
      call find_active(s%n, x, lower, upper, active)
   end subroutine

   !> bounded_step with its work space.
   subroutine find_bounded_step(s, norm, x, r, ipvt, diag, qtf, p)
      type(lm_state), intent(inout) :: s
      procedure(norm_kernel) :: norm
      real(wp), intent(in) :: x(s%n)
      real(wp), intent(inout) :: r(s%ldfjac, s%n)
      integer(c_int), intent(in) :: ipvt(s%n)
      real(wp), intent(in) :: diag(s%n), qtf(s%n)
      real(wp), intent(out) :: p(s%n)
      real(wp), pointer, contiguous :: lower(:), upper(:), w(:, :)
      integer(c_int), pointer, contiguous :: sets(:, :)

      call c_f_pointer(s%lower, lower, [s%n])
      call c_f_pointer(s%upper, upper, [s%n])
      call c_f_pointer(s%active, sets, [s%n, 5])
      call c_f_pointer(s%bounds_work, w, [s%n, s%n + bounds_vectors])
      call limit_step(s%n, x, lower, upper, diag, s%fnorm, s%xnorm, s%trusted, w(:, 1), w(:, 2))
      call bounded_step(norm, s%n, r, s%ldfjac, ipvt, diag, qtf, w(:, 1), w(:, 2), s%delta, &
                        s%par, p, s%met, sets(:, 2), sets(:, 3), sets(:, 4), sets(:, 5), &
                        w(:, bounds_vectors + 1:), w(:, 3), w(:, 4), w(:, 5), w(:, 6), &
                        w(:, 7), w(:, 8), w(:, 9))
   end subroutine

   !> scale² (J'J)^-1 of a fit that has ended with the factors of J, with zeros for the
   !> parameters that equal bounds fix. singular is 1, and cov is of no use, where there is
   !> none.
   subroutine lm_covariance(s, scale, cov, work, singular) bind(c)
      type(lm_state), intent(in) :: s
      real(c_double), value, intent(in) :: scale
      real(c_double), intent(inout) :: cov(s%n, s%n)
      real(c_double), intent(out) :: work(s%n, s%n) !< work space
      integer(c_int), intent(out) :: singular
      real(wp), pointer, contiguous :: r(:, :), w(:, :), lower(:), upper(:)
      integer(c_int), pointer, contiguous :: ipvt(:), sets(:, :)

      call c_f_pointer(s%fjac, r, [s%ldfjac, s%n])
      call c_f_pointer(s%ipvt, ipvt, [s%n])
      if (c_associated(s%lower)) then
         call c_f_pointer(s%lower, lower, [s%n])
         call c_f_pointer(s%upper, upper, [s%n])
         call c_f_pointer(s%active, sets, [s%n, 5])
         call c_f_pointer(s%bounds_work, w, [s%n, s%n + bounds_vectors])
         sets(:, 2) = merge(1, 0, lower == upper)
         if (any(sets(:, 2) /= 0)) then
            call covar_of_some(s%n, s%ldfjac, r, ipvt, sets(:, 2), scale, cov, work, &
                               singular, sets(:, 3), w(:, 1), w(:, 2), w(:, 3), w(:, 4), &
                               w(:, 5), w(:, bounds_vectors + 1:))
            return
         end if
      end if
      call scaled_covar(s%n, s%ldfjac, r, ipvt, scale, cov, work, singular)
   end subroutine

   !> Whether to go on with a fit that has met this norm, of residuals, a column of
   !> the Jacobian, x or a step.
   !>
   !> Deviation: MINPACK goes on with NaN and infinity, and mostly reports that a fit
   !> has converged where there was nothing to fit. With kernels that are not faithful
   !> it ends. Shown by tests/test_not_finite.py.
   pure logical function is_usable(s, norm)
      type(lm_state), intent(in) :: s
      real(wp), intent(in) :: norm

      is_usable = s%kernels%faithful /= 0 .or. norm <= huge(norm)
   end function

   !> With the QR factors of a new Jacobian: is fvec orthogonal to its columns? If
   !> not, go on with D at least the norms of the columns; Moré (1978), section 6.
   subroutine test_gradient(s, norm, x, r, ipvt, diag, qtf, acnorm, work_n, full_qtf)
      type(lm_state), intent(inout) :: s
      procedure(norm_kernel) :: norm
      real(wp), intent(in) :: x(s%n)
      real(wp), intent(in) :: r(s%ldfjac, s%n)
      integer(c_int), intent(in) :: ipvt(s%n)
      real(wp), intent(inout) :: diag(s%n)
      real(wp), intent(out) :: qtf(s%n)
      real(wp), intent(in) :: acnorm(s%n)   !< the norms of the columns of J
      real(wp), intent(out) :: work_n(s%n)
      real(wp), intent(in) :: full_qtf(s%m) !< Q'fvec
      integer :: j

      do j = 1, s%n
         if (is_usable(s, acnorm(j))) cycle
         call finish_with(s, LM_NOT_FINITE)
         return
      end do
      qtf = full_qtf(:s%n)
      if (s%iter == 1) call set_first_bound(s, norm, x, diag, acnorm, work_n)
      if (.not. is_usable(s, s%xnorm)) then
         call finish_with(s, LM_NOT_FINITE)
         return
      end if
      s%gnorm = largest_cosine(s, r, ipvt, qtf, acnorm)
      if (s%gnorm <= s%gtol) then
         call finish_with(s, LM_GTOL)
      else
         if (s%mode /= 2) diag = larger(diag, acnorm)
         s%stage = PROPOSE
      end if
   end subroutine

   !> The first D, unless it is the caller's, and the first step bound; Moré (1978),
   !> sections 4 and 6.
   subroutine set_first_bound(s, norm, x, diag, acnorm, dx)
      type(lm_state), intent(inout) :: s
      procedure(norm_kernel) :: norm
      real(wp), intent(in) :: x(s%n)
      real(wp), intent(inout) :: diag(s%n)
      real(wp), intent(in) :: acnorm(s%n) !< the norms of the columns of J
      real(wp), intent(out) :: dx(s%n)    !< work space

      if (s%mode /= 2) then
         diag = acnorm
         where (acnorm == 0) diag = 1
      end if
      dx = diag*x
      s%xnorm = norm(s%n, dx)
      s%delta = s%factor*s%xnorm
      if (s%delta == 0) s%delta = s%factor
      ! Deviation: MINPACK's first steps are too short to change the residuals where x is
      ! nearly 0 beside them, and the fit ends. Shown by tests/test_longer_steps.py.
      if (s%kernels%faithful == 0 .and. s%mode /= 2 .and. s%delta <= no_change*s%fnorm) then
         s%delta = s%factor*s%fnorm
         s%beyond = s%beyond + 1
      end if
   end subroutine

   !> x + p; the length of p also bounds the first step, unless a bound has cut it.
   subroutine make_trial_point(s, norm, x, diag, step, x_trial, scaled_step)
      type(lm_state), intent(inout) :: s
      procedure(norm_kernel) :: norm
      real(wp), intent(in) :: x(s%n), diag(s%n)
      real(wp), intent(in) :: step(s%n)
      real(wp), intent(out) :: x_trial(s%n)
      real(wp), intent(out) :: scaled_step(s%n) !< work space

      x_trial = x + step
      if (c_associated(s%lower)) call keep_within_bounds(s, x, x_trial)
      scaled_step = diag*step
      s%pnorm = norm(s%n, scaled_step)
      if (is_usable(s, s%pnorm)) then
         if (s%iter == 1 .and. s%met == 0) s%delta = smaller(s%delta, s%pnorm)
         call ask_for_residuals(s, then=JUDGE)
      else
         call finish_with(s, LM_NOT_FINITE)
      end if
   end subroutine

   subroutine keep_within_bounds(s, x, x_trial)
      type(lm_state), intent(in) :: s
      real(wp), intent(in) :: x(s%n)
      real(wp), intent(inout) :: x_trial(s%n)
      real(wp), pointer, contiguous :: lower(:), upper(:), w(:, :)
      integer(c_int), pointer, contiguous :: sets(:, :)

      call c_f_pointer(s%lower, lower, [s%n])
      call c_f_pointer(s%upper, upper, [s%n])
      call c_f_pointer(s%active, sets, [s%n, 5])
      call c_f_pointer(s%bounds_work, w, [s%n, s%n + bounds_vectors])
      call place_on_bounds(s%n, x, lower, upper, w(:, 1), w(:, 2), sets(:, 2), x_trial)
   end subroutine

   !> The largest cosine between fvec and a column of J: max |(R'Q'f)_j| over
   !> |fvec| |J e_j|. With bounds, that of the projected gradient: a parameter that its
   !> bounds hold back does not count.
   function largest_cosine(s, r, ipvt, qtf, acnorm) result(gnorm)
      type(lm_state), intent(in) :: s
      real(wp), intent(in) :: r(s%ldfjac, s%n), qtf(s%n), acnorm(s%n)
      integer(c_int), intent(in) :: ipvt(s%n)
      real(wp) :: gnorm
      real(wp) :: total
      integer :: i, j, k
      real(wp), pointer, contiguous :: lower(:), upper(:)
      integer(c_int), pointer, contiguous :: active(:)

      gnorm = 0
      if (s%fnorm == 0) return
      if (c_associated(s%lower)) then
         call c_f_pointer(s%lower, lower, [s%n])
         call c_f_pointer(s%upper, upper, [s%n])
         call c_f_pointer(s%active, active, [s%n])
      end if
      do j = 1, s%n
         k = ipvt(j)
         if (acnorm(k) == 0) cycle
         total = 0
         do i = 1, j
            total = total + r(i, j)*(qtf(i)/s%fnorm)
         end do
         if (c_associated(s%lower)) then
            if (lower(k) == upper(k) .or. is_blocked(active(k), total)) cycle
         end if
         gnorm = larger(gnorm, abs(total/acnorm(k)))
      end do
   end function

   !> Compare what the trial point gained with what the linear model promised, set
   !> the next step bound by it, take the point or leave it, and test for the end;
   !> Moré (1978), section 4.
   subroutine judge_step(s, norm, fnorm_trial, x, r, ipvt, diag, qtf, x_trial, step, work_n)
      type(lm_state), intent(inout) :: s
      procedure(norm_kernel) :: norm
      real(wp), intent(in) :: fnorm_trial
      real(wp), intent(inout) :: x(s%n)
      real(wp), intent(in) :: r(s%ldfjac, s%n)
      integer(c_int), intent(in) :: ipvt(s%n)
      real(wp), intent(inout) :: diag(s%n)
      real(wp), intent(in) :: qtf(s%n), x_trial(s%n), step(s%n)
      real(wp), intent(out) :: work_n(s%n)

      real(wp), parameter :: least_ratio = 0.0001_wp
      real(wp) :: actred, prered, dirder, ratio
      logical :: accepted

      ! The actual reduction of |fvec|², relative to it; -1 stands for a point ten
      ! times worse
      actred = -1
      if (0.1_wp*fnorm_trial < s%fnorm) actred = 1 - (fnorm_trial/s%fnorm)**2
      call predict(s, norm, r, ipvt, qtf, step, work_n, prered, dirder)
      ratio = 0
      if (prered /= 0) ratio = actred/prered

      call update_bound(s, fnorm_trial, actred, dirder, ratio)
      s%trusted = merge(1, 0, abs(ratio - 1) <= as_predicted)

      accepted = ratio >= least_ratio
      ! Deviation: MINPACK takes a step to NaN, and so does the faithful set alone.
      if (s%kernels%faithful /= 0) accepted = .not. ratio < least_ratio
      if (accepted) then
         x = x_trial
         if (c_associated(s%lower)) call note_active(s, x)
         if (s%met /= 0) s%touched = 1
         work_n = diag*x
         s%xnorm = norm(s%n, work_n)
         s%fnorm = fnorm_trial
         s%iter = s%iter + 1
      end if

      s%info = verdict(s, actred, prered, ratio)
      if (is_held_by_scale(s, norm, x, r, ipvt, diag)) then
         call scale_anew(s, norm, x, r, ipvt, diag, work_n)
         s%info = 0
      end if
      if (s%info /= 0) then
         s%stage = FINISH
         if (accepted .and. s%last_jacobian /= 0) then
            s%last = 1
            s%stage = LINEARIZE
         end if
      else if (accepted) then
         s%stage = LINEARIZE
      else
         s%stage = PROPOSE
      end if
      if (accepted) call ask(s, LM_ACCEPT, then=s%stage)
   end subroutine

   !> Whether a fit that seems to have converged is only held by its scale D: it has never
   !> moved, and a parameter adds next to nothing to the model; or a bound has made a
   !> column much shorter than D says.
   !>
   !> Deviation: MINPACK ends there. Shown by tests/test_longer_steps.py, test_bounds.py.
   logical function is_held_by_scale(s, norm, x, r, ipvt, diag) result(is_held)
      type(lm_state), intent(in) :: s
      procedure(norm_kernel) :: norm
      real(wp), intent(in) :: x(s%n), r(s%ldfjac, s%n), diag(s%n)
      integer(c_int), intent(in) :: ipvt(s%n)
      real(wp) :: acnorm
      integer :: j, k

      is_held = .false.
      if (s%info < LM_FTOL .or. s%info > LM_FTOL_XTOL) return
      if (s%kernels%faithful /= 0 .or. s%mode == 2 .or. s%scalings >= most_scalings) return
      if (s%iter > 1 .and. s%touched == 0) return
      do j = 1, s%n
         k = ipvt(j)
         acnorm = norm(int(j, c_int), r(:, j))
         if (s%iter == 1) then
            is_held = x(k) /= 0 .and. acnorm*abs(x(k)) <= no_change*s%fnorm
         else
            is_held = s%gnorm > far_from_zero .or. &
                      (acnorm > 0 .and. much_shorter*acnorm < diag(k))
         end if
         if (is_held) return
      end do
   end function

   !> D from the columns of this Jacobian alone, and a step bound as at the start. A column
   !> that is next to nothing counts as one of zeros does.
   subroutine scale_anew(s, norm, x, r, ipvt, diag, dx)
      type(lm_state), intent(inout) :: s
      procedure(norm_kernel) :: norm
      real(wp), intent(in) :: x(s%n), r(s%ldfjac, s%n)
      integer(c_int), intent(in) :: ipvt(s%n)
      real(wp), intent(inout) :: diag(s%n)
      real(wp), intent(out) :: dx(s%n) !< work space
      real(wp) :: acnorm
      integer :: j, k

      s%scalings = s%scalings + 1
      s%beyond = s%beyond + 1
      do j = 1, s%n
         k = ipvt(j)
         acnorm = norm(int(j, c_int), r(:, j))
         if (acnorm > 0) diag(k) = acnorm
         if (x(k) /= 0 .and. acnorm*abs(x(k)) <= no_change*s%fnorm) &
            diag(k) = larger(diag(k), smaller(1.0_wp, s%fnorm/abs(x(k))))
         dx(k) = diag(k)*x(k)
      end do
      s%xnorm = norm(s%n, dx)
      s%delta = larger(s%factor*s%xnorm, s%fnorm)
      s%par = 0
   end subroutine

   !> The reduction of |fvec|² that the linear model predicts and its directional
   !> derivative along p, both relative to |fvec|², from |J p|² and par |D p|², or, where p
   !> is no solution of the damped equations because a bound has cut it, by their
   !> definition.
   subroutine predict(s, norm, r, ipvt, qtf, step, rp, prered, dirder)
      type(lm_state), intent(in) :: s
      procedure(norm_kernel) :: norm
      real(wp), intent(in) :: r(s%ldfjac, s%n), qtf(s%n), step(s%n)
      integer(c_int), intent(in) :: ipvt(s%n)
      real(wp), intent(out) :: rp(s%n) !< work space
      real(wp), intent(out) :: prered, dirder
      real(wp) :: jp_part, par_part, p_j
      integer :: i, j

      do j = 1, s%n
         rp(j) = 0
         p_j = step(ipvt(j))
         do i = 1, j
            rp(i) = rp(i) + r(i, j)*p_j
         end do
      end do
      jp_part = norm(s%n, rp)/s%fnorm
      par_part = (sqrt(s%par)*s%pnorm)/s%fnorm
      if (s%met == 0) then
         prered = jp_part**2 + par_part**2/0.5_wp
         dirder = -(jp_part**2 + par_part**2)
      else
         dirder = 0
         do i = 1, s%n
            dirder = dirder + (qtf(i)/s%fnorm)*(rp(i)/s%fnorm)
         end do
         prered = larger(0.0_wp, -(2*dirder + jp_part**2))
      end if
   end subroutine

   !> Shrink the bound after a poor step, by the minimizer of the parabola through
   !> what is known, and let it grow after a good one. A good step is not why delta should
   !> shrink where it is short because a bound on x has cut it.
   subroutine update_bound(s, fnorm_trial, actred, dirder, ratio)
      type(lm_state), intent(inout) :: s
      real(wp), intent(in) :: fnorm_trial, actred, dirder, ratio
      real(wp) :: shrink

      if (ratio > 0.25_wp) then
         if (s%par == 0 .or. ratio >= 0.75_wp) then
            if (s%met == 0 .or. s%delta < s%pnorm/0.5_wp) s%delta = s%pnorm/0.5_wp
            s%par = 0.5_wp*s%par
         end if
      else
         shrink = 0.5_wp
         if (actred < 0) shrink = 0.5_wp*dirder/(dirder + 0.5_wp*actred)
         if (0.1_wp*fnorm_trial >= s%fnorm .or. shrink < 0.1_wp) shrink = 0.1_wp
         s%delta = shrink*smaller(s%delta, s%pnorm/0.1_wp)
         s%par = s%par/shrink
      end if
   end subroutine

   !> Why the fit ends here, or 0; ANL-80-74, section 2.3.
   pure integer(c_int) function verdict(s, actred, prered, ratio) result(info)
      type(lm_state), intent(in) :: s
      real(wp), intent(in) :: actred, prered, ratio

      info = 0
      if (reductions_within(s%ftol)) info = LM_FTOL
      if (s%delta <= s%xtol*s%xnorm) info = merge(LM_FTOL_XTOL, LM_XTOL, info == LM_FTOL)
      if (info /= 0) return

      if (s%nfev >= s%maxfev) info = LM_MAXFEV
      if (reductions_within(epsmch)) info = LM_FTOL_TOO_SMALL
      if (s%delta <= epsmch*s%xnorm) info = LM_XTOL_TOO_SMALL
      if (s%gnorm <= epsmch) info = LM_GTOL_TOO_SMALL

   contains

      pure logical function reductions_within(tolerance)
         real(wp), intent(in) :: tolerance
         reductions_within = abs(actred) <= tolerance .and. prered <= tolerance .and. &
                             0.5_wp*ratio <= 1
      end function
   end function
end module
