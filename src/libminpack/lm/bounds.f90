!> The step of a fit with bounds, lower <= x <= upper.
!>
!> The step p minimizes the linear model |fvec + J p|² within MINPACK's trust region,
!> |D p| <= delta, and within the bounds: it minimizes |fvec + J p|² + par |D p|² within the
!> bounds, and par is found as in lmpar. All of it is done on the n by n factor R and
!> evaluates nothing, so a fit finds out which bounds bind in few evaluations.
!>
!> If the step of lmpar keeps the bounds, it is the step, to the bit.
!>
!> A parameter that is far from its bound goes at most 0.85 of the way to it in one step,
!> unless the last step did exactly what the linear model said. On a bound the derivatives
!> by other parameters may vanish: where the height of a peak is 0, those by its place and
!> its width do. Then the fit stays there.
!>
!> Source: D. M. Gay, A trust-region approach to linearly constrained optimization, in
!> Numerical Analysis, Lecture Notes in Mathematics 1066, Springer (1984), 72-105: the
!> trust region and the constraints together in the problem of the step.
module lm_bounds
   use, intrinsic :: iso_c_binding, only: c_int, c_size_t
   use lm_types
   use lm_working_set, only: minimize_within, ON_LOWER, INSIDE, ON_UPPER
   use minpack_lmpar, only: lmpar
   use minpack_qrsolv, only: qrsolv
   implicit none
   private

   public :: lm_bounds_work, find_active, is_blocked, bounded_step, place_on_bounds, limit_step

   !> Columns of the work space that are vectors
   integer, parameter, public :: bounds_vectors = 11

   !> A parameter goes at most this part of the way to a bound that is far.
   real(wp), parameter :: most_of_the_way = 0.85_wp
   !> A bound is far if on the way to it the residuals, or D x, change by more than this.
   real(wp), parameter :: far_of_residuals = 0.002_wp, far_of_x = 0.00001_wp
   !> |D p| may differ from delta by this part of it.
   real(wp), parameter :: tolerance = 0.1_wp
   integer, parameter :: max_iterations = 10

contains

   !> How many numbers of work space a fit with bounds needs.
   pure function lm_bounds_work(n) result(count) bind(c)
      integer(c_int), value, intent(in) :: n
      integer(c_size_t) :: count

      count = int(n, c_size_t)*(n + bounds_vectors)
   end function

   pure logical function within_bounds(n, x, lower, upper)
      integer(c_int), intent(in) :: n
      real(wp), intent(in) :: x(n), lower(n), upper(n)

      within_bounds = all(lower <= x .and. x <= upper)
   end function

   !> Which bounds x is on.
   pure subroutine find_active(n, x, lower, upper, active) bind(c, name="minpack_find_active")
      integer(c_int), value, intent(in) :: n
      real(wp), intent(in) :: x(n), lower(n), upper(n)
      integer(c_int), intent(out) :: active(n)

      active = INSIDE
      where (x >= upper) active = ON_UPPER
      where (x <= lower) active = ON_LOWER
   end subroutine

   !> Whether descent along the negative gradient would take a parameter out.
   elemental logical function is_blocked(active, gradient)
      integer(c_int), intent(in) :: active
      real(wp), intent(in) :: gradient

      is_blocked = (active == ON_LOWER .and. gradient >= 0) .or. &
                   (active == ON_UPPER .and. gradient <= 0)
   end function

   !> The bounds of a step: those of p = x_trial - x, and shorter ones where they are far.
   pure subroutine limit_step(n, x, lower, upper, diag, fnorm, xnorm, trusted, p_lower, p_upper)
      integer(c_int), intent(in) :: n
      real(wp), intent(in) :: x(n), lower(n), upper(n), diag(n)
      real(wp), intent(in) :: fnorm, xnorm               !< |fvec| and |D x|
      integer(c_int), intent(in) :: trusted !< 1: the linear model has been right: no limits
      real(wp), intent(out) :: p_lower(n), p_upper(n)
      real(wp) :: near
      integer :: j

      near = larger(far_of_residuals*fnorm, far_of_x*xnorm)
      if (trusted /= 0) near = huge(near)
      do j = 1, n
         p_lower(j) = lower(j) - x(j)
         p_upper(j) = upper(j) - x(j)
         if (-diag(j)*p_lower(j) > near) p_lower(j) = most_of_the_way*p_lower(j)
         if (diag(j)*p_upper(j) > near) p_upper(j) = most_of_the_way*p_upper(j)
      end do
   end subroutine

   !> x_trial = x + p with what the working set holds exactly on its bound, and nothing
   !> outside, whatever the sum was rounded to.
   pure subroutine place_on_bounds(n, x, lower, upper, p_lower, p_upper, set, x_trial)
      integer(c_int), intent(in) :: n, set(n)
      real(wp), intent(in) :: x(n), lower(n), upper(n), p_lower(n), p_upper(n)
      real(wp), intent(inout) :: x_trial(n)
      integer :: j

      do j = 1, n
         if (set(j) == ON_LOWER .and. p_lower(j) == lower(j) - x(j)) x_trial(j) = lower(j)
         if (set(j) == ON_UPPER .and. p_upper(j) == upper(j) - x(j)) x_trial(j) = upper(j)
         if (x_trial(j) < lower(j)) x_trial(j) = lower(j)
         if (x_trial(j) > upper(j)) x_trial(j) = upper(j)
      end do
   end subroutine

   !> The step of a fit with bounds.
   subroutine bounded_step(norm, n, r, ldr, ipvt, diag, qtf, p_lower, p_upper, delta, par, p, &
                           met, free, set, held, order, released, t, z, lower, upper, q, wa1, &
                           wa2, wa3)
      procedure(norm_kernel) :: norm             !< the Euclidean norm
      integer(c_int), intent(in) :: n            !< order of R
      integer(c_int), intent(in) :: ldr          !< leading dimension of r
      real(wp), intent(inout) :: r(ldr, n)       !< R above; out: S' of lmpar below
      integer(c_int), intent(in) :: ipvt(n)      !< the permutation P, J P = Q R
      real(wp), intent(in) :: diag(n)            !< the diagonal of D
      real(wp), intent(in) :: qtf(n)             !< the first n entries of Q'fvec
      real(wp), intent(in) :: p_lower(n), p_upper(n) !< the bounds of p; 0 is within
      real(wp), intent(in) :: delta              !< the step bound
      real(wp), intent(inout) :: par             !< in: an estimate; out: the parameter
      real(wp), intent(out) :: p(n)              !< the step
      integer(c_int), intent(out) :: met         !< 1: p takes a parameter to its bound
      integer(c_int), intent(out) :: free        !< how many are not, in t; -1: p is lmpar's
      integer(c_int), intent(out) :: set(n)      !< the bounds that p is held to
      integer(c_int), intent(out) :: held(n)     !< the same for q
      integer(c_int), intent(out) :: order(n), released(n) !< work space
      real(wp), intent(out) :: t(n, n), z(n)     !< the damped model, |z + t q|²
      real(wp), intent(out) :: lower(n), upper(n) !< the bounds of q
      real(wp), intent(out) :: q(n)              !< P'p
      real(wp), intent(out) :: wa1(n), wa2(n), wa3(n) !< work space
      integer :: iter, j
      real(wp) :: dpnorm, phi, parl, paru

      met = 0
      free = -1
      set = INSIDE
      call lmpar(norm, n, r, ldr, ipvt, diag, qtf, delta, par, p, wa1, wa2, wa3)
      p = -p
      if (within_bounds(n, p, p_lower, p_upper)) return

      do j = 1, n
         lower(j) = p_lower(ipvt(j))
         upper(j) = p_upper(ipvt(j))
      end do
      parl = 0
      paru = largest_par()
      do iter = 1, max_iterations
         call make_damped_model()
         call minimize_within(norm, n, t, z, lower, upper, q, held, free, order, released, &
                              wa1, wa2, wa3)
         do j = 1, n
            p(ipvt(j)) = q(j)
            wa1(j) = diag(ipvt(j))*q(j)
         end do
         dpnorm = norm(n, wa1)
         phi = dpnorm - delta
         if (abs(phi) <= tolerance*delta .or. (par == 0 .and. phi <= 0)) exit
         if (free == 0 .or. iter == max_iterations) exit
         call correct_par()
      end do
      do j = 1, n
         set(ipvt(j)) = held(j)
      end do
      if (any(set /= INSIDE .and. p /= 0)) met = 1

   contains

      !> |D^-1 J'fvec| / delta, with which |D p| <= delta
      real(wp) function largest_par()
         do j = 1, n
            wa1(j) = dot_product(r(:j, j), qtf(:j))/diag(ipvt(j))
         end do
         largest_par = norm(n, wa1)/delta
         if (largest_par == 0) largest_par = dwarf/smaller(delta, tolerance)
      end function

      !> |z + t q|² is |fvec + J p|² + par |D p|² but for a constant.
      subroutine make_damped_model()
         if (par == 0) then
            do j = 1, n
               t(:j, j) = r(:j, j)
               t(j + 1:, j) = 0
            end do
            z = qtf
            return
         end if
         wa1 = sqrt(par)*diag
         call qrsolv(n, r, ldr, ipvt, wa1, qtf, wa2, wa3, z)
         z = 0
         do j = 1, n
            t(:j - 1, j) = r(j, :j - 1) ! S' is below the diagonal
            t(j, j) = wa3(j)
            t(j + 1:, j) = 0
            z(:j) = z(:j) + t(:j, j)*wa2(ipvt(j))
         end do
      end subroutine

      !> The Newton correction of lmpar, on the free parameters, within parl and paru.
      subroutine correct_par()
         real(wp) :: temp
         integer :: k, l

         if (phi > 0) parl = larger(parl, par)
         if (phi < 0) paru = smaller(paru, par)
         do k = 1, free
            l = ipvt(order(k))
            wa1(k) = diag(l)*(diag(l)*p(l)/dpnorm) - dot_product(t(:k - 1, k), wa1(:k - 1))
            if (t(k, k) /= 0) wa1(k) = wa1(k)/t(k, k)
         end do
         temp = norm(free, wa1)
         par = par + ((phi/delta)/temp)/temp
         if (par <= 0 .and. parl == 0 .and. phi < 0) then
            par = 0
         else if (.not. (par > parl .and. par < paru)) then
            par = larger(0.001_wp*paru, sqrt(parl*paru))
         end if
      end subroutine
   end subroutine
end module
