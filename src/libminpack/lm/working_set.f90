!> Linear least squares within bounds: the p that minimizes |z + T p|² with
!> lower <= p <= upper, for a triangular T.
!>
!> A working set of parameters is held to its bounds. The others go towards their minimum;
!> those that come to a bound on their way join the set. Once all are within, the
!> parameter whose bound binds least leaves it.
!>
!> The columns of the free parameters stay the first ones of T, and triangular: when the
!> set changes by one parameter, T and z are rotated, which takes O(n²) operations.
!>
!> Sources: P. B. Stark and R. L. Parker, Bounded-variable least-squares, Computational
!> Statistics 10, 129-141 (1995): the working set; G. H. Golub and C. F. Van Loan, Matrix
!> Computations, 4th ed. (2013), section 6.5: the changes of the factor.
module lm_working_set
   use, intrinsic :: iso_c_binding, only: c_int
   use lm_types, only: wp, epsmch, norm_kernel, larger, smaller
   implicit none
   private

   public :: minimize_within, ON_LOWER, INSIDE, ON_UPPER

   !> Where a parameter is held, or that it is free
   integer(c_int), parameter :: ON_LOWER = -1, INSIDE = 0, ON_UPPER = 1

contains

   subroutine minimize_within(norm, n, t, z, lower, upper, p, set, free, order, released, &
                              target, clipped, residual)
      procedure(norm_kernel) :: norm             !< the Euclidean norm
      integer(c_int), intent(in) :: n            !< number of parameters
      real(wp), intent(inout) :: t(n, n)         !< in: T; out: its columns `order`, rotated
      real(wp), intent(inout) :: z(n)            !< out: rotated like T
      real(wp), intent(in) :: lower(n), upper(n) !< the bounds; 0 is within
      real(wp), intent(out) :: p(n)              !< the minimizer
      integer(c_int), intent(out) :: set(n)      !< the working set
      integer(c_int), intent(out) :: free        !< how many parameters are not in it
      integer(c_int), intent(out) :: order(n)    !< the parameters: the free ones first
      integer(c_int), intent(out) :: released(n) !< 1: a parameter that has left the set
      real(wp), intent(out) :: target(n)         !< where the free parameters want to go
      real(wp), intent(out) :: clipped(n)        !< the point within the bounds next to it
      real(wp), intent(out) :: residual(n)       !< z + T p, or for the part that is held
      integer :: round

      p = 0
      released = 0
      call start_set()
      do round = 1, 10*n + 10
         call find_target()
         if (.not. reaches_target()) cycle
         if (.not. release_one()) exit
      end do

   contains

      !> Parameters that are on a bound, and that the gradient holds there.
      subroutine start_set()
         real(wp) :: slope
         integer :: j, k

         free = n
         set = INSIDE
         do j = 1, n
            order(j) = j
            slope = dot_product(t(:j, j), z(:j))
            if (upper(j) <= 0 .and. slope <= 0) set(j) = ON_UPPER
            if (lower(j) >= 0 .and. slope >= 0) set(j) = ON_LOWER
            if (lower(j) == upper(j)) set(j) = ON_LOWER
         end do
         do k = n, 1, -1
            if (set(order(k)) /= INSIDE) call hold(k)
         end do
      end subroutine

      !> The parameter at place k joins the working set. The columns behind it move up, and
      !> rotations of neighbouring rows make them triangular again.
      subroutine hold(k)
         integer, intent(in) :: k
         integer :: i

         do i = k, free - 1
            call exchange(i, i + 1)
         end do
         do i = k, free - 1
            call rotate(i)
         end do
         free = free - 1
      end subroutine

      !> The parameter at place k leaves the working set: a reflection of the rows that no
      !> free column reaches makes it the last of these.
      subroutine let_go(k)
         integer, intent(in) :: k
         real(wp) :: length
         integer :: i, j

         free = free + 1
         call exchange(int(free), k)
         length = norm(n - free + 1, t(free:, free))
         if (length == 0) return
         if (t(free, free) < 0) length = -length
         do i = free, n ! the reflection I - v v'/v(free)
            t(i, free) = t(i, free)/length
         end do
         t(free, free) = t(free, free) + 1
         do j = free + 1, n
            call reflect(t(:, free), t(:, j))
         end do
         call reflect(t(:, free), z)
         t(free, free) = -length
         do i = free + 1, n
            t(i, free) = 0
         end do
      end subroutine

      subroutine reflect(v, a)
         real(wp), intent(in) :: v(n)
         real(wp), intent(inout) :: a(n)
         real(wp) :: weight
         integer :: i

         weight = dot_product(v(free:), a(free:))/v(free)
         do i = free, n
            a(i) = a(i) - weight*v(i)
         end do
      end subroutine

      subroutine exchange(i, k)
         integer, intent(in) :: i, k
         real(wp) :: entry
         integer :: parameter, row

         parameter = order(i)
         order(i) = order(k)
         order(k) = parameter
         do row = 1, n
            entry = t(row, i)
            t(row, i) = t(row, k)
            t(row, k) = entry
         end do
      end subroutine

      !> Rotate rows i and i + 1 so that column i ends in row i.
      subroutine rotate(i)
         integer, intent(in) :: i
         real(wp) :: c, s, tan
         integer :: j

         if (t(i + 1, i) == 0) return
         if (abs(t(i, i)) < abs(t(i + 1, i))) then
            tan = t(i, i)/t(i + 1, i)
            s = 1/sqrt(1 + tan**2)
            c = s*tan
         else
            tan = t(i + 1, i)/t(i, i)
            c = 1/sqrt(1 + tan**2)
            s = c*tan
         end if
         do j = i, n
            call turn(c, s, t(i, j), t(i + 1, j))
         end do
         t(i + 1, i) = 0
         call turn(c, s, z(i), z(i + 1))
      end subroutine

      pure subroutine turn(c, s, a, b)
         real(wp), intent(in) :: c, s
         real(wp), intent(inout) :: a, b
         real(wp) :: turned

         turned = c*a + s*b
         b = c*b - s*a
         a = turned
      end subroutine

      !> residual = z + T p, of the parameters at the places from `first` on.
      subroutine evaluate(first, at)
         integer, intent(in) :: first
         real(wp), intent(in) :: at(n)
         integer :: k, rows

         residual = z
         do k = first, n
            rows = merge(int(k), int(n), k <= free)
            residual(:rows) = residual(:rows) + t(:rows, k)*at(order(k))
         end do
      end subroutine

      !> The minimum for the free parameters. One whose column depends on those before it
      !> stays where it is.
      subroutine find_target()
         integer :: k

         call evaluate(int(free) + 1, p)
         target = p
         do k = free, 1, -1
            if (t(k, k) /= 0) target(order(k)) = -residual(k)/t(k, k)
            residual(:k - 1) = residual(:k - 1) + t(:k - 1, k)*target(order(k))
         end do
      end subroutine

      !> Go from p towards the target; .false. if bounds are in the way. Then p goes to the
      !> nearest point within all bounds if that is better than |z + T p| at the first bound
      !> on the way, and otherwise there.
      logical function reaches_target()
         real(wp) :: part
         integer :: first, j

         call find_first_bound(first, part)
         reaches_target = first == 0
         if (reaches_target) then
            p = target
            return
         end if
         do j = 1, n
            clipped(j) = nearest_to_target(j)
            if (set(j) == INSIDE .and. part > 0) p(j) = p(j) + part*(target(j) - p(j))
         end do
         p(first) = clipped(first)
         if (length_at(clipped) < length_at(p)) then
            p = clipped
            do j = free, 1, -1
               if (target(order(j)) /= clipped(order(j))) call stop_at_bound(j)
            end do
         else
            call stop_at_bound(place_of(first))
         end if
      end function

      !> The parameter that comes to a bound first, or 0, and after which part of the way.
      subroutine find_first_bound(first, part)
         integer, intent(out) :: first
         real(wp), intent(out) :: part
         real(wp) :: stop_at
         integer :: j

         part = 1
         first = 0
         do j = 1, n
            if (set(j) /= INSIDE) cycle
            if (target(j) >= lower(j) .and. target(j) <= upper(j)) cycle
            stop_at = (nearest_to_target(j) - p(j))/(target(j) - p(j))
            if (first /= 0 .and. stop_at >= part) cycle
            part = larger(stop_at, 0.0_wp)
            first = j
         end do
      end subroutine

      !> The value within the bounds of parameter j that is nearest to its target.
      pure real(wp) function nearest_to_target(j)
         integer, intent(in) :: j

         nearest_to_target = smaller(larger(target(j), lower(j)), upper(j))
      end function

      real(wp) function length_at(point)
         real(wp), intent(in) :: point(n)

         call evaluate(1, point)
         length_at = norm(n, residual)
      end function

      integer function place_of(j)
         integer, intent(in) :: j

         place_of = 1
         do while (order(place_of) /= j)
            place_of = place_of + 1
         end do
      end function

      !> The parameter at place k has come to a bound.
      subroutine stop_at_bound(k)
         integer, intent(in) :: k
         integer :: j

         j = order(k)
         set(j) = merge(ON_UPPER, ON_LOWER, target(j) > upper(j))
         call hold(k)
      end subroutine

      !> The parameter whose slope says most clearly that its bound does not bind leaves
      !> the working set, each at most once.
      logical function release_one()
         real(wp) :: slope, steepest, length
         integer :: j, k, best

         best = 0
         steepest = 0
         call evaluate(1, p)
         do k = free + 1, n
            j = order(k)
            if (released(j) /= 0 .or. lower(j) == upper(j)) cycle
            length = norm(n, t(:, k))
            if (length == 0) cycle
            slope = dot_product(t(:, k), residual)/length
            if (set(j) == ON_UPPER) slope = -slope
            if (slope < steepest) then
               steepest = slope
               best = k
            end if
         end do
         ! Less than this is rounding.
         release_one = -steepest > 10*n*epsmch*norm(n, z)
         if (release_one) then
            j = order(best)
            set(j) = INSIDE
            released(j) = 1
            call let_go(best)
         end if
      end function
   end subroutine
end module
