!> The judgement of a step: Moré (1978), section 4.
module lm_judge
   use, intrinsic :: iso_c_binding, only: c_int
   use lm_types
   use lm_acceleration, only: remember
   use lm_bounds, only: find_active
   use lm_scale, only: is_held_by_scale, scale_anew
   implicit none
   private

   public :: judge

   !> A step is taken if it gains more than this part of what the model promised.
   real(wp), parameter :: least_ratio = 0.0001_wp
   !> Within this of 1, a ratio of reductions is that of a linear problem.
   real(wp), parameter :: as_predicted = 0.001_wp

contains

   !> Compare what the trial point gained with what the linear model promised, set the next
   !> step bound by it, take the point or leave it, and test for the end.
   subroutine judge(s, n, norm, x, r, ipvt, diag, qtf, x_trial, step, work, lower, upper, &
                    active, second) bind(c, name="minpack_judge")
      type(lm_state), intent(inout) :: s
      integer(c_int), value, intent(in) :: n
      procedure(norm_kernel) :: norm
      real(wp), intent(inout) :: x(n)
      real(wp), intent(in) :: r(s%ldr, n)
      integer(c_int), intent(in) :: ipvt(n)
      real(wp), intent(inout) :: diag(n)
      real(wp), intent(in) :: qtf(n), x_trial(n), step(n)
      real(wp), intent(out) :: work(n) !< work space
      real(wp), intent(in), optional :: lower(n), upper(n)
      integer(c_int), intent(inout), optional :: active(n)
      real(wp), intent(inout), optional :: second(n, 4) !< as that of lm_state
      real(wp) :: actred, prered, dirder, ratio

      ! The actual reduction of |fvec|², relative to it; -1 stands for a point ten
      ! times worse
      actred = -1
      if (0.1_wp*s%fnorm_trial < s%fnorm) actred = 1 - (s%fnorm_trial/s%fnorm)**2
      call predict(s, n, norm, r, ipvt, qtf, step, work, prered, dirder)
      ratio = 0
      if (prered /= 0) ratio = actred/prered

      call update_bound(s, actred, dirder, ratio)
      s%trusted = merge(1, 0, abs(ratio - 1) <= as_predicted)
      if (is_accepted(s, ratio)) then
         if (present(second)) call remember(s, n, x, r, ipvt, qtf, x_trial, second)
         x = x_trial
         if (present(lower)) call find_active(n, x, lower, upper, active)
         if (s%met /= 0) s%touched = 1
         work = diag*x
         s%xnorm = norm(n, work)
         s%fnorm = s%fnorm_trial
         s%lowered = actred
         s%iter = s%iter + 1
         s%moved = 1
      end if

      s%info = verdict(s, actred, prered, ratio)
      if (is_held_by_scale(s, n, norm, x, r, ipvt, diag)) then
         call scale_anew(s, n, norm, x, r, ipvt, diag, work)
         s%info = LM_BAD_INPUT
      end if
      if (s%info /= LM_BAD_INPUT) then
         s%stage = LM_STAGE_ENDED
      else if (s%moved /= 0) then
         s%request = LM_LINEARIZE
         s%stage = LM_STAGE_LINEARIZED
      else
         s%stage = LM_STAGE_PROPOSE
      end if
   end subroutine

   !> Deviation: MINPACK takes a step to NaN. Shown by tests/test_not_finite.py.
   pure logical function is_accepted(s, ratio)
      type(lm_state), intent(in) :: s
      real(wp), intent(in) :: ratio

      is_accepted = ratio >= least_ratio
      if (s%mends == 0) is_accepted = .not. ratio < least_ratio
   end function

   !> The reduction of |fvec|² that the linear model predicts and its directional
   !> derivative along p, both relative to |fvec|², from |J p|² and par |D p|². Where a
   !> bound has cut p, so that p does not solve the damped equations, they come from their
   !> definition. So they do where the model has curvature beside |J p|².
   subroutine predict(s, n, norm, r, ipvt, qtf, step, rp, prered, dirder)
      type(lm_state), intent(in) :: s
      integer(c_int), intent(in) :: n
      procedure(norm_kernel) :: norm
      real(wp), intent(in) :: r(s%ldr, n), qtf(n), step(n)
      integer(c_int), intent(in) :: ipvt(n)
      real(wp), intent(out) :: rp(n) !< work space: R P'p
      real(wp), intent(out) :: prered, dirder
      real(wp) :: jp_part, par_part, p_j
      integer :: i, j

      do j = 1, n
         rp(j) = 0
         p_j = step(ipvt(j))
         do i = 1, j
            rp(i) = rp(i) + r(i, j)*p_j
         end do
      end do
      jp_part = norm(n, rp)/s%fnorm
      par_part = (sqrt(s%par)*s%pnorm)/s%fnorm
      if (s%met == 0 .and. s%added == 0) then
         prered = jp_part**2 + par_part**2/0.5_wp
         dirder = -(jp_part**2 + par_part**2)
      else
         dirder = 0
         do i = 1, n
            dirder = dirder + (qtf(i)/s%fnorm)*(rp(i)/s%fnorm)
         end do
         prered = larger(0.0_wp, -(2*dirder + jp_part**2 + s%added))
      end if
   end subroutine

   !> Shrink the bound after a poor step, by the minimizer of the parabola through what is
   !> known, and let it grow after a good one. If a bound on x has cut the step short, a
   !> good ratio must not shrink delta.
   pure subroutine update_bound(s, actred, dirder, ratio)
      type(lm_state), intent(inout) :: s
      real(wp), intent(in) :: actred, dirder, ratio
      real(wp) :: shrink

      if (ratio > 0.25_wp) then
         if (s%par == 0 .or. ratio >= 0.75_wp) then
            if (s%met == 0 .or. s%delta < s%pnorm/0.5_wp) s%delta = s%pnorm/0.5_wp
            s%par = 0.5_wp*s%par
         end if
      else
         shrink = 0.5_wp
         if (actred < 0) shrink = 0.5_wp*dirder/(dirder + 0.5_wp*actred)
         if (0.1_wp*s%fnorm_trial >= s%fnorm .or. shrink < 0.1_wp) shrink = 0.1_wp
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
