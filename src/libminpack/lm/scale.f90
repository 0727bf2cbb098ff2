!> The scale D of the parameters and the step bound that goes with it.
!>
!> D is the caller's, or holds the largest norms that the columns of J have had so far;
!> Moré (1978), section 6.
module lm_scale
   use, intrinsic :: iso_c_binding, only: c_int
   use lm_types
   implicit none
   private

   public :: set_first_bound, is_held_by_scale, scale_anew

   !> A step that changes the residuals by less than this part of them changes nothing.
   real(wp), parameter :: no_change = 1.0e-6_wp
   !> A column that is shorter than D says by this factor makes D useless.
   real(wp), parameter :: much_shorter = 100
   !> A cosine above this is no sign of a minimum.
   real(wp), parameter :: far_from_zero = 0.001_wp
   integer, parameter :: most_scalings = 3
   !> With acceleration the first step is shorter, and `factor` means this part of it: with
   !> its default of 100, 0.2 |D x|.
   real(wp), parameter :: accelerated = 0.002_wp

contains

   !> The first D, unless it is the caller's, and the first step bound; Moré (1978),
   !> sections 4 and 6.
   subroutine set_first_bound(s, n, norm, x, diag, acnorm, dx)
      type(lm_state), intent(inout) :: s
      integer(c_int), intent(in) :: n
      procedure(norm_kernel) :: norm
      real(wp), intent(in) :: x(n)
      real(wp), intent(inout) :: diag(n)
      real(wp), intent(in) :: acnorm(n) !< the norms of the columns of J
      real(wp), intent(out) :: dx(n)    !< work space
      real(wp) :: reach

      if (s%mode /= 2) then
         diag = acnorm
         where (acnorm == 0) diag = 1
      end if
      dx = diag*x
      s%xnorm = norm(n, dx)
      reach = s%factor
      if (s%accelerates /= 0) reach = accelerated*s%factor
      s%delta = reach*s%xnorm
      if (s%delta == 0 .and. s%accelerates /= 0) s%delta = reach*s%fnorm
      if (s%delta == 0) s%delta = s%factor
      ! Deviation: MINPACK's first steps are too short to change the residuals where x is
      ! nearly 0 beside them, and the fit ends. Shown by tests/test_longer_steps.py.
      if (s%mends /= 0 .and. s%mode /= 2 .and. s%delta <= no_change*s%fnorm) then
         s%delta = reach*s%fnorm
         s%beyond = s%beyond + 1
      end if
   end subroutine

   !> Whether a fit that seems to have converged is only held by its scale D: either the
   !> fit has never moved, and a parameter adds next to nothing to the model; or a bound
   !> has made a column much shorter than D says.
   !>
   !> Deviation: MINPACK ends there. Shown by tests/test_longer_steps.py, test_bounds.py.
   logical function is_held_by_scale(s, n, norm, x, r, ipvt, diag) result(is_held)
      type(lm_state), intent(in) :: s
      integer(c_int), intent(in) :: n
      procedure(norm_kernel) :: norm
      real(wp), intent(in) :: x(n), r(s%ldr, n), diag(n)
      integer(c_int), intent(in) :: ipvt(n)
      real(wp) :: acnorm
      integer :: j, k

      is_held = .false.
      if (s%info < LM_FTOL .or. s%info > LM_FTOL_XTOL) return
      if (s%mends == 0 .or. s%mode == 2 .or. s%scalings >= most_scalings) return
      if (s%iter > 1 .and. s%touched == 0) return
      do j = 1, n
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
   subroutine scale_anew(s, n, norm, x, r, ipvt, diag, dx)
      type(lm_state), intent(inout) :: s
      integer(c_int), intent(in) :: n
      procedure(norm_kernel) :: norm
      real(wp), intent(in) :: x(n), r(s%ldr, n)
      integer(c_int), intent(in) :: ipvt(n)
      real(wp), intent(inout) :: diag(n)
      real(wp), intent(out) :: dx(n) !< work space
      real(wp) :: acnorm
      integer :: j, k

      s%scalings = s%scalings + 1
      s%beyond = s%beyond + 1
      do j = 1, n
         k = ipvt(j)
         acnorm = norm(int(j, c_int), r(:, j))
         if (acnorm > 0) diag(k) = acnorm
         if (x(k) /= 0 .and. acnorm*abs(x(k)) <= no_change*s%fnorm) &
            diag(k) = larger(diag(k), smaller(1.0_wp, s%fnorm/abs(x(k))))
         dx(k) = diag(k)*x(k)
      end do
      s%xnorm = norm(n, dx)
      s%delta = larger(s%factor*s%xnorm, s%fnorm)
      s%par = 0
   end subroutine
end module
