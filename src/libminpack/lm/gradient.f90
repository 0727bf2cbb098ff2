!> With the factors of a new Jacobian: is x a minimum, and what is the scale now?
module lm_gradient
   use, intrinsic :: iso_c_binding, only: c_int
   use lm_types
   use lm_bounds, only: is_blocked
   use lm_scale, only: set_first_bound
   implicit none
   private

   public :: test_gradient

contains

   !> The fit ends where fvec is orthogonal to the columns of J within gtol. Otherwise it
   !> goes on with D at least the norms of the columns; Moré (1978), section 6.
   subroutine test_gradient(s, n, norm, x, r, ipvt, diag, qtf, acnorm, dx, lower, upper, &
                            active) bind(c, name="minpack_test_gradient")
      type(lm_state), intent(inout) :: s
      integer(c_int), value, intent(in) :: n
      procedure(norm_kernel) :: norm
      real(wp), intent(in) :: x(n)
      real(wp), intent(in) :: r(s%ldr, n)
      integer(c_int), intent(in) :: ipvt(n)
      real(wp), intent(inout) :: diag(n)
      real(wp), intent(in) :: qtf(n)
      real(wp), intent(in) :: acnorm(n) !< the norms of the columns of J
      real(wp), intent(out) :: dx(n)    !< work space
      real(wp), intent(in), optional :: lower(n), upper(n)
      integer(c_int), intent(in), optional :: active(n)
      integer :: j

      s%info = LM_NOT_FINITE
      s%stage = LM_STAGE_ENDED
      if (s%mends /= 0) then
         do j = 1, n
            if (.not. acnorm(j) <= huge(acnorm)) return
         end do
      end if
      if (s%iter == 1) call set_first_bound(s, n, norm, x, diag, acnorm, dx)
      if (s%mends /= 0 .and. .not. s%xnorm <= huge(s%xnorm)) return

      s%gnorm = largest_cosine(s, n, r, ipvt, qtf, acnorm, lower, upper, active)
      s%info = LM_GTOL
      if (s%gnorm <= s%gtol) return
      s%info = LM_BAD_INPUT
      s%stage = LM_STAGE_PROPOSE
      if (s%mode == 2) return
      do j = 1, n
         diag(j) = larger(diag(j), acnorm(j))
      end do
   end subroutine

   !> The largest cosine between fvec and a column of J: max |(R'Q'f)_j| over
   !> |fvec| |J e_j|. With bounds, that of the projected gradient: a parameter that its
   !> bounds hold back does not count.
   pure function largest_cosine(s, n, r, ipvt, qtf, acnorm, lower, upper, active) result(gnorm)
      type(lm_state), intent(in) :: s
      integer(c_int), intent(in) :: n
      real(wp), intent(in) :: r(s%ldr, n), qtf(n), acnorm(n)
      integer(c_int), intent(in) :: ipvt(n)
      real(wp), intent(in), optional :: lower(n), upper(n)
      integer(c_int), intent(in), optional :: active(n)
      real(wp) :: gnorm
      real(wp) :: total
      integer :: i, j, k

      gnorm = 0
      if (s%fnorm == 0) return
      do j = 1, n
         k = ipvt(j)
         if (acnorm(k) == 0) cycle
         total = 0
         do i = 1, j
            total = total + r(i, j)*(qtf(i)/s%fnorm)
         end do
         if (present(lower)) then
            if (lower(k) == upper(k) .or. is_blocked(active(k), total)) cycle
         end if
         gnorm = larger(gnorm, abs(total/acnorm(k)))
      end do
   end function
end module
