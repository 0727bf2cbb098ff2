!> Geodesic acceleration: a step that bends as the residuals do.
!>
!> Along the step v the residuals are fvec + t J v + t²/2 f_vv to second order. The step
!> becomes v + a/2, where the acceleration a minimizes |f_vv + J a|² + par |D a|². It
!> follows a bent canyon whose wall v runs into. f_vv is found by one more evaluation, at
!> x + h v. Of f_vv the algorithm needs J'f_vv alone, which is of order n.
!>
!> The step is judged by what the linear model promises for v.
!>
!> Source: M. K. Transtrum and J. P. Sethna, Improvements to the Levenberg-Marquardt
!> algorithm for nonlinear least-squares minimization, arXiv:1201.5885 (2012). The
!> constants but h are ours; `python benchmarks hard-starts` measures what they do.
module lm_acceleration
   use, intrinsic :: iso_c_binding, only: c_int
   use lm_types
   use lm_bounds, only: bounds_vectors, place_on_bounds
   implicit none
   private

   public :: aim, bend

   !> h, as LM_AHEAD of minpack.h
   real(wp), parameter :: ahead = 0.1_wp
   !> A step that promises less than this part of |fvec|² is short, and not bent.
   real(wp), parameter :: least_promise = 1.0e-5_wp
   !> 2 |D a| is at most this many |D v|: beyond, the residuals are not of second order.
   real(wp), parameter :: most_bent = 1
   !> By this a step that would bend more is shortened.
   real(wp), parameter :: shorter = 0.5_wp

contains

   !> Ask for the second derivative along the step, unless the step is short.
   subroutine aim(s, n, norm, x, r, ipvt, v, x_trial, rv, lower, upper)
      type(lm_state), intent(inout) :: s
      integer(c_int), intent(in) :: n
      procedure(norm_kernel) :: norm
      real(wp), intent(in) :: x(n), r(s%ldr, n)
      integer(c_int), intent(in) :: ipvt(n)
      real(wp), intent(in) :: v(n)           !< the step
      real(wp), intent(inout) :: x_trial(n)
      real(wp), intent(out) :: rv(n)         !< work space: R P'v
      real(wp), intent(in), optional :: lower(n), upper(n)
      integer :: j

      rv = 0
      do j = 1, n
         rv(:j) = rv(:j) + r(:j, j)*v(ipvt(j))
      end do
      if (.not. norm(n, rv)**2 + 2*s%par*s%pnorm**2 > least_promise*s%fnorm**2) return
      x_trial = x + ahead*v
      if (present(lower)) x_trial = min(max(x_trial, lower), upper) ! it may be rounded
      s%request = LM_ACCELERATE
      s%stage = LM_STAGE_BENT
   end subroutine

   !> x_trial at the end of the bent step. If that would bend too much, another step is
   !> proposed with a shorter bound. If the second derivative is not finite, the step is v.
   subroutine bend(s, n, norm, x, r, ipvt, diag, v, x_trial, work, second, lower, upper, sets, &
                   w) bind(c, name="minpack_bend")
      type(lm_state), intent(inout) :: s
      integer(c_int), value, intent(in) :: n
      procedure(norm_kernel) :: norm
      real(wp), intent(in) :: x(n), r(s%ldr, n)
      integer(c_int), intent(in) :: ipvt(n)
      real(wp), intent(in) :: diag(n)
      real(wp), intent(in) :: v(n)            !< the step
      real(wp), intent(out) :: x_trial(n)
      real(wp), intent(out) :: work(n)        !< work space
      real(wp), intent(inout) :: second(n, 2) !< J'f_vv, and with par > 0 the diagonal of S
      real(wp), intent(in), optional :: lower(n), upper(n)
      integer(c_int), intent(in), optional :: sets(n, 5)
      real(wp), intent(in), optional :: w(n, n + bounds_vectors)
      real(wp) :: danorm

      if (s%free >= 0) then
         call accelerate_free(n, s%free, w(:, bounds_vectors + 1:), ipvt, sets(:, 4), &
                              second(:, 1), x_trial, work)
      else
         call accelerate(s, n, r, ipvt, second(:, 1), second(:, 2), x_trial, work)
      end if
      work = diag*x_trial
      danorm = norm(n, work)
      if (2*danorm > most_bent*s%pnorm .and. danorm <= huge(danorm) .and. &
          s%nfev < s%maxfev) then
         s%delta = shorter*smaller(s%delta, s%pnorm/0.1_wp)
         s%par = s%par/shorter
         s%stage = LM_STAGE_PROPOSE
         return
      end if

      work = v
      if (2*danorm <= most_bent*s%pnorm) work = v + 0.5_wp*x_trial
      if (present(lower)) work = min(max(work, w(:, 1)), w(:, 2))
      x_trial = x + work
      if (present(lower)) &
         call place_on_bounds(n, x, lower, upper, w(:, 1), w(:, 2), sets(:, 2), x_trial)
      s%nfev = s%nfev + 1
      s%request = LM_RESIDUALS
      s%stage = LM_STAGE_TRIED
   end subroutine

   !> a = -(J'J + par D D)^-1 J'f_vv, by the triangle that lmpar has left: R or S.
   pure subroutine accelerate(s, n, r, ipvt, jtf, sdiag, a, z)
      type(lm_state), intent(in) :: s
      integer(c_int), intent(in) :: n
      real(wp), intent(in) :: r(s%ldr, n)
      integer(c_int), intent(in) :: ipvt(n)
      real(wp), intent(in) :: jtf(n), sdiag(n)
      real(wp), intent(out) :: a(n)
      real(wp), intent(out) :: z(n) !< work space: P'a
      integer :: i

      do i = 1, n
         z(i) = -jtf(ipvt(i))
      end do
      if (s%par == 0) then
         call solve_twice(int(n), s%ldr, r, z)
      else
         do i = 1, n ! S' is below the diagonal
            z(i) = z(i)/sdiag(i)
            z(i + 1:) = z(i + 1:) - r(i + 1:, i)*z(i)
         end do
         do i = n, 1, -1
            z(i) = (z(i) - dot_product(r(i + 1:, i), z(i + 1:)))/sdiag(i)
         end do
      end if
      do i = 1, n
         a(ipvt(i)) = z(i)
      end do
   end subroutine

   !> The same for a step that bounds have cut, by the triangle T of the free parameters;
   !> 0 for the others.
   pure subroutine accelerate_free(n, free, t, ipvt, order, jtf, a, z)
      integer(c_int), intent(in) :: n, free
      real(wp), intent(in) :: t(n, n)
      integer(c_int), intent(in) :: ipvt(n), order(n)
      real(wp), intent(in) :: jtf(n)
      real(wp), intent(out) :: a(n)
      real(wp), intent(out) :: z(n) !< work space
      integer :: i

      do i = 1, free
         z(i) = -jtf(ipvt(order(i)))
      end do
      call solve_twice(int(free), n, t, z)
      a = 0
      do i = 1, free
         a(ipvt(order(i))) = z(i)
      end do
   end subroutine

   !> z := (R'R)^-1 z, with the first k rows and columns of R.
   pure subroutine solve_twice(k, ldr, r, z)
      integer, intent(in) :: k
      integer(c_int), intent(in) :: ldr
      real(wp), intent(in) :: r(ldr, *)
      real(wp), intent(inout) :: z(k)
      integer :: i

      do i = 1, k
         z(i) = (z(i) - dot_product(r(:i - 1, i), z(:i - 1)))/r(i, i)
      end do
      do i = k, 1, -1
         z(i) = z(i)/r(i, i)
         z(:i - 1) = z(:i - 1) - r(:i - 1, i)*z(i)
      end do
   end subroutine
end module
