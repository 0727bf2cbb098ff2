!> The step from x, and the point where it leads.
module lm_propose
   use, intrinsic :: iso_c_binding, only: c_int
   use lm_types
   use lm_bounds, only: bounded_step, bounds_vectors, limit_step, place_on_bounds
   use lm_acceleration, only: aim
   use minpack_lmpar, only: lmpar
   implicit none
   private

   public :: propose

contains

   !> x_trial = x + p, where p minimizes the linear model with |D p| <= delta and, if there
   !> are bounds, within these. The length of p bounds the first step too, unless a bound
   !> on x has cut it. With acceleration it is first asked how the residuals bend along p.
   subroutine propose(s, n, norm, x, r, ipvt, diag, qtf, p, x_trial, wa1, wa2, lower, upper, &
                      sets, w, second) bind(c, name="minpack_propose")
      type(lm_state), intent(inout) :: s
      integer(c_int), value, intent(in) :: n
      procedure(norm_kernel) :: norm
      real(wp), intent(in) :: x(n)
      real(wp), intent(inout) :: r(s%ldr, n)
      integer(c_int), intent(in) :: ipvt(n)
      real(wp), intent(in) :: diag(n), qtf(n)
      real(wp), intent(out) :: p(n)
      real(wp), intent(out) :: x_trial(n)
      real(wp), intent(out) :: wa1(n), wa2(n) !< work space
      real(wp), intent(in), optional :: lower(n), upper(n)
      integer(c_int), intent(inout), optional :: sets(n, 5)
      real(wp), intent(inout), optional :: w(n, n + bounds_vectors) !< work space
      real(wp), intent(inout), optional :: second(n, 4) !< as that of lm_state
      integer :: j

      s%free = -1
      s%added = 0
      if (present(lower)) then
         call limit_step(n, x, lower, upper, diag, s%fnorm, s%xnorm, s%trusted, w(:, 1), &
                         w(:, 2))
         call bounded_step(norm, n, r, s%ldr, ipvt, diag, qtf, w(:, 1), w(:, 2), s%delta, &
                           s%par, p, s%met, s%free, sets(:, 2), sets(:, 3), sets(:, 4), &
                           sets(:, 5), w(:, bounds_vectors + 1:), w(:, 3), w(:, 4), &
                           w(:, 5), w(:, 6), w(:, 7), w(:, 8), w(:, 9))
         if (present(second)) second(:, 2) = w(:, 7)
         x_trial = x + p
         call place_on_bounds(n, x, lower, upper, w(:, 1), w(:, 2), sets(:, 2), x_trial)
      else
         call lmpar(norm, n, r, s%ldr, ipvt, diag, qtf, s%delta, s%par, p, x_trial, wa1, wa2)
         if (present(second)) second(:, 2) = x_trial
         p = -p
         x_trial = x + p
      end if
      do j = 1, n
         wa1(j) = diag(j)*p(j)
      end do
      s%pnorm = norm(n, wa1)
      if (s%mends /= 0 .and. .not. s%pnorm <= huge(s%pnorm)) then
         s%info = LM_NOT_FINITE
         s%stage = LM_STAGE_ENDED
         return
      end if
      if (s%iter == 1 .and. s%met == 0) s%delta = smaller(s%delta, s%pnorm)
      s%nfev = s%nfev + 1
      s%request = LM_RESIDUALS
      s%stage = LM_STAGE_TRIED
      if (present(second)) &
         call aim(s, n, norm, x, r, ipvt, diag, qtf, p, x_trial, wa1, wa2, second, lower, &
                  upper, sets, w)
   end subroutine
end module
