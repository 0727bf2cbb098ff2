!> The step of a fit with bounds, lower <= x <= upper.
!>
!> The step p minimizes the linear model |fvec + J p|² within the trust region
!> |D p| <= delta, which is MINPACK's, and within the bounds. An active-set method finds
!> it: for a working set of parameters that are to end on a bound, lmpar gives the step of
!> the others; where that would leave the bounds, p goes as far as it can and the
!> parameter that stopped it joins the set; where all are within, the parameter whose
!> multiplier has the wrong sign leaves it. All of it is done on the n by n factor R and
!> evaluates nothing, so a fit finds out which bounds bind in few evaluations.
!>
!> While no bound is met, the step, the judgement of it and the new delta are those of an
!> unbounded fit, to the bit.
!>
!> Sources: D. M. Gay, A trust-region approach to linearly constrained optimization, in
!> Numerical Analysis, Lecture Notes in Mathematics 1066, Springer (1984), 72-105: the
!> trust region and the constraints together in the problem of the step; P. B. Stark and
!> R. L. Parker, Bounded-variable least-squares, Computational Statistics 10, 129-141
!> (1995): the working set.
module lm_bounds
   use, intrinsic :: iso_c_binding, only: c_int, c_size_t, c_null_ptr
   use lm_types
   use minpack_lmpar, only: lmpar
   use minpack_covar, only: covar
   use reference_qrfac, only: factor
   implicit none
   private

   public :: lm_bounds_work, within_bounds, find_active, is_blocked, bounded_step
   public :: place_on_bounds, free_covariance

   !> What s%active says of x, and the working set of the end of the step
   integer(c_int), parameter :: ON_LOWER = -1, INSIDE = 0, ON_UPPER = 1

contains

   !> How many numbers of work space a fit with bounds needs.
   pure function lm_bounds_work(n) result(count) bind(c)
      integer(c_int), value, intent(in) :: n
      integer(c_size_t) :: count

      count = int(n, c_size_t)*(n + 9)
   end function

   pure logical function within_bounds(n, x, lower, upper)
      integer(c_int), intent(in) :: n
      real(wp), intent(in) :: x(n), lower(n), upper(n)

      within_bounds = all(lower <= x .and. x <= upper)
   end function

   !> Which bounds x is on.
   pure subroutine find_active(n, x, lower, upper, active)
      integer(c_int), intent(in) :: n
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

   !> x_trial = x + p with what the working set holds exactly on its bound, and nothing
   !> outside, whatever the sum was rounded to.
   pure subroutine place_on_bounds(n, lower, upper, set, x_trial)
      integer(c_int), intent(in) :: n, set(n)
      real(wp), intent(in) :: lower(n), upper(n)
      real(wp), intent(inout) :: x_trial(n)

      where (set == ON_LOWER .or. x_trial < lower) x_trial = lower
      where (set == ON_UPPER .or. x_trial > upper) x_trial = upper
   end subroutine

   !> The step of a fit with bounds. At the end of it the parameters in the working set
   !> are on their bounds.
   subroutine bounded_step(norm, n, r, ldr, ipvt, diag, qtf, x, lower, upper, delta, par, p, &
                           met, set, released, pivots, target, model, d, wa1, wa2, wa3, wa4, &
                           wa5, wa6, a)
      procedure(norm_kernel) :: norm             !< the Euclidean norm
      integer(c_int), intent(in) :: n            !< order of R
      integer(c_int), intent(in) :: ldr          !< leading dimension of r
      real(wp), intent(inout) :: r(ldr, n)       !< R above; out: lmpar's S' below
      integer(c_int), intent(in) :: ipvt(n)      !< the permutation P, J P = Q R
      real(wp), intent(in) :: diag(n)            !< the diagonal of D
      real(wp), intent(in) :: qtf(n)             !< the first n entries of Q'fvec
      real(wp), intent(in) :: x(n)               !< where the step begins
      real(wp), intent(in) :: lower(n), upper(n) !< the bounds, which x keeps
      real(wp), intent(in) :: delta              !< the step bound
      real(wp), intent(inout) :: par             !< in: an estimate; out: the parameter
      real(wp), intent(out) :: p(n)              !< the step
      integer(c_int), intent(out) :: met         !< 1: p takes a parameter to its bound
      integer(c_int), intent(out) :: set(n)      !< the working set
      integer(c_int), intent(out) :: released(n) !< 1: a parameter that has left it
      integer(c_int), intent(out) :: pivots(n)   !< the permutation of the free columns
      real(wp), intent(out) :: target(n)         !< the step that the working set asks for
      real(wp), intent(out) :: model(n)          !< Q'(fvec + J p)
      real(wp), intent(out) :: d(n)              !< the part of D of the free columns
      real(wp), intent(out) :: wa1(n), wa2(n), wa3(n), wa4(n), wa5(n), wa6(n) !< work space
      real(wp), intent(out) :: a(n, n)           !< the free columns of R, and their factor

      p = 0
      released = 0
      call evaluate_model()
      call start_set()
      do
         call find_target()
         if (.not. reaches_target()) cycle
         call evaluate_model()
         if (.not. release_one()) exit
      end do
      met = 0
      if (any(set /= INSIDE .and. p /= 0)) met = 1

   contains

      !> model = Q'fvec + R P'p
      subroutine evaluate_model()
         integer :: j

         model = qtf
         do j = 1, n
            if (p(ipvt(j)) /= 0) model(:j) = model(:j) + r(:j, j)*p(ipvt(j))
         end do
      end subroutine

      !> Half the derivative of the model, damped by par, along the parameter of column j.
      pure function multiplier(j)
         integer, intent(in) :: j
         real(wp) :: multiplier
         integer :: k

         k = ipvt(j)
         multiplier = dot_product(r(:j, j), model(:j)) + par*diag(k)*(diag(k)*p(k))
      end function

      !> On a bound that the gradient holds them to, or with bounds that are equal.
      subroutine start_set()
         integer :: j, k

         do j = 1, n
            k = ipvt(j)
            set(k) = INSIDE
            if (x(k) >= upper(k)) set(k) = ON_UPPER
            if (x(k) <= lower(k)) set(k) = ON_LOWER
            if (lower(k) == upper(k)) cycle
            if (.not. is_blocked(set(k), multiplier(j))) set(k) = INSIDE
         end do
      end subroutine

      !> target = the step to the bounds of the working set, and within the rest of the
      !> trust region the step that is best for the others.
      subroutine find_target()
         integer(c_int) :: free, j, k, unused
         real(wp) :: rest

         where (set == ON_LOWER) target = lower - x
         where (set == ON_UPPER) target = upper - x
         free = count(set == INSIDE)
         if (free == 0) return
         if (free == n) then
            call lmpar(norm, n, r, ldr, ipvt, diag, qtf, delta, par, target, wa1, wa2, wa3)
            target = -target
            return
         end if

         wa1 = qtf
         rest = 1
         k = 0
         do j = 1, n
            if (set(ipvt(j)) /= INSIDE) then
               wa1(:j) = wa1(:j) + r(:j, j)*target(ipvt(j))
               rest = rest - (diag(ipvt(j))*target(ipvt(j))/delta)**2
            else
               k = k + 1
               a(:j, k) = r(:j, j)
               a(j + 1:, k) = 0
               d(k) = diag(ipvt(j))
            end if
         end do
         ! The parameters on their bounds may use up the region but for a tenth of delta,
         ! by which lmpar too may exceed it.
         rest = delta*sqrt(larger(rest, 0.01_wp))
         call factor(n, free, a, n, pivots, wa2, wa3, wa4, wa1, 0.0_wp, wa5, unused, &
                     c_null_ptr)
         call lmpar(norm, free, a, n, pivots, d, wa5, rest, par, wa6, wa1, wa2, wa3)
         k = 0
         do j = 1, n
            if (set(ipvt(j)) /= INSIDE) cycle
            k = k + 1
            target(ipvt(j)) = -wa6(k)
         end do
      end subroutine

      !> Go from p towards the target. Where a bound comes first, p ends there, and its
      !> parameter joins the working set.
      logical function reaches_target()
         real(wp) :: part, stop_at, bound
         integer :: j, first

         part = 1
         first = 0
         do j = 1, n
            if (set(j) /= INSIDE) cycle
            bound = x(j) + target(j)
            if (bound >= lower(j) .and. bound <= upper(j)) cycle
            bound = merge(upper(j), lower(j), bound > upper(j))
            stop_at = (bound - x(j) - p(j))/(target(j) - p(j))
            if (stop_at < part) then
               part = larger(stop_at, 0.0_wp)
               first = j
            end if
         end do
         reaches_target = first == 0
         if (reaches_target) then
            p = target
         else
            set(first) = merge(ON_UPPER, ON_LOWER, x(first) + target(first) > upper(first))
            p = p + part*(target - p)
            p(first) = merge(upper(first), lower(first), set(first) == ON_UPPER) - x(first)
         end if
      end function

      !> The parameter whose multiplier says most clearly that its bound does not bind
      !> leaves the working set, each at most once in a step.
      logical function release_one()
         real(wp) :: slope, steepest, scale
         integer :: j, k, best

         best = 0
         steepest = 0
         do j = 1, n
            k = ipvt(j)
            if (set(k) == INSIDE .or. released(k) /= 0 .or. lower(k) == upper(k)) cycle
            scale = norm(int(j, c_int), r(:, j))
            if (scale == 0) cycle
            slope = multiplier(j)/scale
            if (set(k) == ON_UPPER) slope = -slope
            if (slope < steepest) then
               steepest = slope
               best = k
            end if
         end do
         ! Less than this is rounding.
         release_one = -steepest > 10*n*epsmch*norm(n, qtf)
         if (release_one) then
            set(best) = INSIDE
            released(best) = 1
         end if
      end function
   end subroutine

   !> (J'J)^-1 of the parameters that are on no bound, with zeros for the others. The
   !> factor of their columns of J is that of their columns of R.
   subroutine free_covariance(n, r, ldr, ipvt, active, cov, inverse, singular, pivots, &
                              wa1, wa2, wa3, wa4, wa5, a)
      integer(c_int), intent(in) :: n           !< order of R
      integer(c_int), intent(in) :: ldr         !< leading dimension of r
      real(wp), intent(in) :: r(ldr, n)         !< R, in the upper triangle
      integer(c_int), intent(in) :: ipvt(n)     !< the permutation P, J P = Q R
      integer(c_int), intent(in) :: active(n)   !< the bounds that x is on
      real(wp), intent(out) :: cov(n*n)         !< the matrix
      real(wp), intent(out) :: inverse(n, n)    !< work space
      integer(c_int), intent(out) :: singular   !< 1 if there is none
      integer(c_int), intent(out) :: pivots(n)  !< work space
      real(wp), intent(out) :: wa1(n), wa2(n), wa3(n), wa4(n), wa5(n), a(n, n) !< work space
      integer(c_int) :: free, j, k, unused

      free = 0
      do k = 1, n
         if (active(k) /= INSIDE) cycle
         free = free + 1
         j = findloc(ipvt, k, dim=1)
         a(:j, free) = r(:j, j)
         a(j + 1:, free) = 0
      end do
      wa4 = 0
      call factor(n, free, a, n, pivots, wa1, wa2, wa3, wa4, 0.0_wp, wa5, unused, &
                  c_null_ptr)
      call covar(free, n, a, pivots, cov, inverse, singular)
      if (singular == 0) call spread_out(n, active, cov)
   end subroutine

   !> Give a matrix of the free parameters, packed, the rows and columns of the others:
   !> zeros. From its end on, so that nothing is overwritten before it has moved.
   pure subroutine spread_out(n, active, matrix)
      integer(c_int), intent(in) :: n, active(n)
      real(wp), intent(inout) :: matrix(n*n)
      integer :: i, j, from

      from = count(active == INSIDE)**2
      do j = n, 1, -1
         do i = n, 1, -1
            if (active(i) == INSIDE .and. active(j) == INSIDE) then
               matrix(i + n*(j - 1)) = matrix(from)
               from = from - 1
            else
               matrix(i + n*(j - 1)) = 0
            end if
         end do
      end do
   end subroutine
end module
