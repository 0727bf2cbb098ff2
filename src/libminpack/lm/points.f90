!> The points at which residuals give the Jacobian by differences.
!>
!> Forward differences are those of ANL-80-74, fdjac2. Of second order are the central
!> difference and, where a bound is in the way, the one with both points on one side;
!> both are the derivative at x of the parabola through three points. With bounds no
!> point is outside: a step turns round, and where neither side has room for it, it is
!> as long as the wider side. A parameter whose bounds are equal is not moved.
!>
!> After the last column, those that hold rounding errors alone are taken again with
!> longer steps (longer_steps.f90).
module lm_points
   use, intrinsic :: iso_c_binding, only: c_int
   use lm_types
   use lm_information, only: columns
   use lm_longer_steps, only: minpacks_steps, start_watch, keep_steps, next_longer_step
   implicit none
   private

   public :: first_points, more_points

contains

   !> The steps at x, before anything is evaluated.
   subroutine first_points(d, n, iter, x, h, second, diff_step, lower, upper, watch) &
      bind(c, name="minpack_first_points")
      type(lm_differences), intent(inout) :: d
      integer(c_int), value, intent(in) :: n
      integer(c_int), value, intent(in) :: iter     !< the iterate that x is
      real(wp), intent(in) :: x(n)
      real(wp), intent(out) :: h(n)                 !< the steps; 0: not moved
      real(wp), intent(out), optional :: second(n)  !< those of the second points
      real(wp), intent(in), optional :: diff_step(n), lower(n), upper(n)
      real(wp), intent(inout), optional :: watch(n, 4)
      integer :: j

      d%only = 0
      d%tries = -1
      d%watching = 0
      d%gathered = 0
      call minpacks_steps(d, n, x, h, diff_step)
      if (present(watch)) then
         call start_watch(d, n, iter, x, watch)
         if (d%watching /= 0) call keep_steps(n, h, watch)
      end if
      if (present(second)) second = -h
      if (present(lower)) then
         do j = 1, n
            call turn_inward(upper(j) - x(j), x(j) - lower(j), j, h, second)
         end do
      end if
   end subroutine

   !> Whether, now that all columns are there, one is to be taken again.
   function more_points(d, m, n, x, h, second, diff_step, lower, upper, watch, fjac, ldfjac, &
                        last, fvec, are_raw) result(more) bind(c, name="minpack_more_points")
      type(lm_differences), intent(inout) :: d
      integer(c_int), value, intent(in) :: m, n, ldfjac
      real(wp), target, intent(in) :: x(n)
      real(wp), target, intent(inout) :: h(n)
      real(wp), intent(inout), optional :: second(n)
      real(wp), intent(in), optional :: diff_step(n), lower(n), upper(n)
      real(wp), intent(inout) :: watch(n, 4)
      real(wp), target, intent(inout) :: fjac(ldfjac, n) !< the quotients, or residuals
      real(wp), target, intent(in) :: last(m)            !< residuals of column n
      real(wp), target, intent(in) :: fvec(m)            !< the residuals at x
      integer(c_int), value, intent(in) :: are_raw       !< 1: fjac holds residuals
      integer(c_int) :: more
      type(columns) :: c
      integer :: j

      c%m = m
      c%n = n
      c%are_raw = are_raw /= 0
      c%rounding = d%rounding
      c%fjac => fjac
      c%last => last
      c%fvec => fvec
      c%x => x
      c%h => h
      more = 0
      if (.not. next_longer_step(d, c, watch, diff_step)) return
      more = 1
      h(d%only) = d%longer
      if (present(second)) second(d%only) = -d%longer
      j = d%only
      if (present(lower)) call turn_inward(upper(j) - x(j), x(j) - lower(j), j, h, second)
   end function

   !> Keep the steps of parameter j within the room above and below: a forward step may
   !> have to be one back, and the second point lies behind the first where the other side
   !> is too near.
   pure subroutine turn_inward(above, below, j, h, second)
      real(wp), intent(in) :: above, below
      integer, intent(in) :: j
      real(wp), intent(inout) :: h(*)
      real(wp), intent(inout), optional :: second(*)

      if (.not. (above > 0 .or. below > 0)) then
         h(j) = 0
         if (present(second)) second(j) = 0
      else if (present(second)) then
         if (h(j) > smaller(above, below)) &
            h(j) = merge(smaller(h(j), above/2), -smaller(h(j), below/2), above >= below)
         second(j) = -h(j)
         if (abs(h(j)) > smaller(above, below)) second(j) = 2*h(j)
      else if (h(j) > above) then
         if (h(j) > below) h(j) = larger(above, below)
         if (below >= h(j)) h(j) = -h(j)
      end if
   end subroutine
end module
