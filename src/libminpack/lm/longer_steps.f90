!> The steps of the differences: MINPACK's, and longer ones where those show nothing.
!>
!> MINPACK's step is a fixed part of |x_j|. Where x_j is nearly 0, the residuals that it
!> changes are rounded back to what they were, or to their neighbours, and the column is 0
!> or noise. Such a column is taken again, with a step that is relative to the largest
!> |x_j| of this fit, or absolute, or relative to the size of the residuals: the least of
!> them that shows something. The fit keeps the step while MINPACK's is much shorter.
!>
!> Without the array watch all steps are MINPACK's.
module lm_longer_steps
   use, intrinsic :: iso_c_binding, only: c_int
   use lm_types
   use lm_information
   implicit none
   private

   public :: minpacks_steps, start_watch, keep_steps, next_longer_step

   !> The error of a second-order difference falls with h² and grows with epsmch/h.
   real(wp), parameter :: cube_root_of_epsmch = 6.0554544524e-6_wp
   !> Changes of this many rounding errors may be nothing else.
   real(wp), parameter :: noise = 4
   !> A parameter that is smaller by this factor than it was is nearly 0. Its column is taken
   !> again unless the change is `clear` times its rounding error.
   real(wp), parameter :: nearly_zero = 2.0_wp**(-14), clear = 1024
   !> Parameters that change by less than this factor are not looked at again.
   real(wp), parameter :: much = 8
   !> A step is worth an evaluation if it is longer than the one before by this factor.
   real(wp), parameter :: longer = 4, much_longer = 1024
   !> A step that changes the residuals by more than this part of their size is shortened.
   real(wp), parameter :: too_much = 2.0_wp**(-6)
   !> A step is no longer than this part of the parameter.
   real(wp), parameter :: most_of_x = 2.0_wp**(-5)
   integer, parameter :: most_tries = 5

   !> What a fit remembers of its parameters, the columns of watch
   enum, bind(c)
      enumerator :: LARGEST = 1 !< the largest |x_j| so far
      enumerator :: LOOKED_AT   !< |x_j| when the columns were looked at
      enumerator :: KEPT        !< the step in the place of MINPACK's, or 0
      enumerator :: LEAST       !< the least change that is clear, relative to the size
   end enum

contains

   !> The step of parameter j for x_j = 1.
   pure real(wp) function relative_step(d, j, diff_step)
      type(lm_differences), intent(in) :: d
      integer(c_int), intent(in) :: j
      real(wp), intent(in), optional :: diff_step(*)

      if (present(diff_step)) then
         relative_step = abs(diff_step(j))
      else if (d%points == 3) then
         relative_step = cube_root_of_epsmch
         if (d%epsfcn > epsmch) relative_step = relative_step*cube_root(d%epsfcn/epsmch)
      else
         relative_step = sqrt(larger(d%epsfcn, epsmch))
      end if
   end function

   !> The cube root of a > 1, by Newton's method: a power by the C library would have other
   !> last bits with another library, and a name that older ones lack.
   pure real(wp) function cube_root(a)
      real(wp), intent(in) :: a
      integer :: i

      cube_root = scale(1.0_wp, exponent(a)/3) ! within a factor of 2
      do i = 1, 7
         cube_root = (2*cube_root + a/(cube_root*cube_root))/3
      end do
   end function

   !> h = MINPACK's steps at x.
   pure subroutine minpacks_steps(d, n, x, h, diff_step)
      type(lm_differences), intent(in) :: d
      integer(c_int), intent(in) :: n
      real(wp), intent(in) :: x(n)
      real(wp), intent(out) :: h(n)
      real(wp), intent(in), optional :: diff_step(n)
      real(wp) :: relative
      integer(c_int) :: j

      relative = relative_step(d, 1, diff_step)
      do j = 1, n
         if (present(diff_step)) relative = abs(diff_step(j))
         h(j) = relative*abs(x(j))
         if (h(j) == 0) h(j) = relative
      end do
   end subroutine

   !> Before the first column: is there reason to look at the columns afterwards?
   pure subroutine start_watch(d, n, iter, x, watch)
      type(lm_differences), intent(inout) :: d
      integer(c_int), intent(in) :: n, iter
      real(wp), intent(in) :: x(n)
      real(wp), intent(inout) :: watch(n, LEAST)
      integer :: j

      if (iter == 1) then
         watch = 0
         d%watching = 1
      end if
      do j = 1, n
         if (abs(x(j)) > watch(j, LARGEST)) watch(j, LARGEST) = abs(x(j))
         if (abs(x(j)) > much*watch(j, LOOKED_AT)) then
            watch(j, KEPT) = 0
            d%watching = 1
         else if (much*abs(x(j)) < watch(j, LOOKED_AT) .or. watch(j, KEPT) > 0) then
            d%watching = 1
         end if
      end do
      if (d%watching == 0) return
      do j = 1, n
         watch(j, LOOKED_AT) = abs(x(j))
         watch(j, LEAST) = noise*d%rounding
         if (abs(x(j)) < nearly_zero*watch(j, LARGEST)) watch(j, LEAST) = clear*d%rounding
      end do
   end subroutine

   !> Replace MINPACK's steps by the longer ones that this fit has kept. One that is not
   !> much longer is not needed any more.
   pure subroutine keep_steps(n, h, watch)
      integer(c_int), intent(in) :: n
      real(wp), intent(inout) :: h(n), watch(n, LEAST)
      integer :: j

      do j = 1, n
         if (longer*h(j) >= watch(j, KEPT)) watch(j, KEPT) = 0
         h(j) = max(h(j), watch(j, KEPT))
      end do
   end subroutine

   !> After the last column, and after each longer step: choose the parameter d%only and
   !> the step d%longer of the next evaluation; .false. where there is none.
   logical function next_longer_step(d, c, watch, diff_step) result(more)
      type(lm_differences), intent(inout) :: d
      type(columns), intent(in) :: c
      real(wp), intent(inout) :: watch(c%n, LEAST)
      real(wp), intent(in), optional :: diff_step(c%n)

      more = .false.
      if (d%tries < 0) then
         if (all(watch(:, KEPT) <= 0)) then
            if (are_clear(c, watch(:, LEAST))) return
         end if
         d%only = 0
      else
         more = wants_another_step(d, c, watch, diff_step)
      end if
      do while (.not. more .and. d%only < c%n)
         d%only = d%only + 1
         d%tries = 0
         if (c%h(d%only) /= 0) more = wants_another_step(d, c, watch, diff_step)
      end do
   end function

   !> Whether column d%only is to be taken again, with the step d%longer. One that shows
   !> nothing with any step stays as it is.
   logical function wants_another_step(d, c, watch, diff_step) result(wants)
      type(lm_differences), intent(inout) :: d
      type(columns), intent(in) :: c
      real(wp), intent(inout) :: watch(c%n, LEAST)
      real(wp), intent(in), optional :: diff_step(c%n)
      type(evidence) :: seen
      real(wp) :: h, relative, minpacks
      logical :: was_cut

      relative = relative_step(d, d%only, diff_step)
      h = abs(c%h(d%only))
      was_cut = d%tries > 0 .and. longer*h < d%longer
      seen = look_at(c, d%only, watch(d%only, LEAST))
      d%longer = 0
      if (d%tries == 0) then
         d%tame = h
         minpacks = relative*abs(c%x(d%only))
         if (minpacks == 0) minpacks = relative
         if (.not. seen%is_clear) then
            d%longer = next_step(d, c, seen, relative, watch(:, LARGEST))
         else if (seen%change*minpacks >= clear*d%rounding*seen%size*h) then
            watch(d%only, KEPT) = 0 ! from now on MINPACK's step will do
         end if
      else if (.not. seen%change <= huge(h)) then
         d%longer = sqrt(d%tame*h)
      else if (.not. seen%is_clear) then
         d%tame = h
         if (.not. was_cut) d%longer = next_step(d, c, seen, relative, watch(:, LARGEST))
      else if (seen%change > too_much*seen%size) then
         d%longer = relative*(h*seen%size/seen%change)
         if (d%longer < longer*d%tame) d%longer = sqrt(d%tame*h)
      else
         watch(d%only, KEPT) = h
      end if
      wants = d%longer > 0 .and. d%tries < most_tries
      d%tries = d%tries + 1
      if (.not. wants .and. d%tries > 1 .and. .not. seen%change <= larger(seen%size, 0.0_wp)) &
         call forget(d%only, c)
   end function

   !> The length of the step after the one that has shown this, or 0 where there is none.
   pure real(wp) function next_step(d, c, seen, relative, largest_x) result(next)
      type(lm_differences), intent(in) :: d
      type(columns), intent(in) :: c
      type(evidence), intent(in) :: seen
      real(wp), intent(in) :: relative         !< the step for x_j = 1
      real(wp), intent(in) :: largest_x(c%n)
      real(wp) :: h, candidates(3)
      integer :: k

      next = 0
      h = abs(c%h(d%only))
      candidates = relative*[largest_x(d%only), 1.0_wp, seen%size]
      ! A step that is not tiny in any respect, and changes nothing: there is no effect.
      if (.not. seen%change > 0 .and. d%tries == 0 .and. much_longer*h >= candidates(1) .and. &
          h >= clear*d%rounding*max(seen%size, 1.0_wp, maxval(largest_x))) return
      do k = 1, 3
         if (candidates(k) <= longer*h) cycle
         if (next == 0 .or. candidates(k) < next) next = candidates(k)
      end do
      if (next == 0 .and. seen%change > 0 .and. &
          much_longer*h <= most_of_x*largest_x(d%only)) next = much_longer*h
   end function

   !> Set a column to 0 if every longer step has made it larger than the residuals' terms.
   subroutine forget(j, c)
      integer(c_int), intent(in) :: j
      type(columns), intent(in) :: c

      c%fjac(:c%m, j) = 0
      if (c%are_raw) c%fjac(:c%m, j) = c%fvec
   end subroutine
end module
