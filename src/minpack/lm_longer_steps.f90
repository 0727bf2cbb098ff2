!> The steps of the differences: MINPACK's, and longer ones where those show nothing.
!>
!> MINPACK's step is a fixed part of |x_j|. Where x_j is nearly 0, the residuals that it
!> changes are rounded back to what they were, or to their neighbours, and the column is 0
!> or noise. Such a column is taken again, with a step that is relative to the largest
!> |x_j| of this fit, or absolute, or relative to the size of the residuals: the least of
!> them that shows something. The fit keeps the step while MINPACK's is much shorter.
!>
!> With the reference kernels all steps are MINPACK's.
module lm_longer_steps
   use, intrinsic :: iso_c_binding, only: c_associated, c_f_pointer
   use lm_types
   use lm_information
   implicit none
   private

   public :: start_watch, step_length, can_move, next_longer_step

   !> The error of a second-order difference falls with h² and grows with epsmch/h.
   real(wp), parameter :: cube_root_of_epsmch = 6.0554544524e-6_wp
   !> Changes of this many rounding errors may be nothing else.
   real(wp), parameter :: noise = 4
   !> A parameter that has become so much smaller than it was is nearly 0, and a change that
   !> is not this many times its rounding error is worth another step.
   real(wp), parameter :: nearly_zero = 2.0_wp**(-14), clear = 1024
   !> Parameters that change by less than this factor are not looked at again.
   real(wp), parameter :: much = 8
   !> A step is worth an evaluation if it is so many times the one before.
   real(wp), parameter :: longer = 4, much_longer = 1024
   !> A step that changes the residuals by more than this part of their size is shortened.
   real(wp), parameter :: too_much = 2.0_wp**(-6)
   !> A step is no longer than this part of the parameter.
   real(wp), parameter :: most_of_x = 2.0_wp**(-5)
   integer, parameter :: most_tries = 5

   !> What a fit remembers of its parameters, s%watch
   enum, bind(c)
      enumerator :: LARGEST = 1 !< the largest |x_j| so far
      enumerator :: LOOKED_AT   !< |x_j| when the columns were looked at
      enumerator :: KEPT        !< the step in the place of MINPACK's, or 0
      enumerator :: LEAST       !< the least change that is clear, relative to the size
   end enum

contains

   !> Before the first column: is there reason to look at the columns afterwards?
   subroutine start_watch(s)
      type(lm_state), intent(inout) :: s
      real(wp), pointer, contiguous :: x(:), watch(:, :)
      logical :: has_changed
      integer :: j

      s%tries = -1
      s%watching = 0
      s%gathered = 0
      s%relative_step = sqrt(larger(s%epsfcn, epsmch))
      if (s%points == 3) &
         s%relative_step = cube_root_of_epsmch*(larger(s%epsfcn, epsmch)/epsmch)**(1/3.0_wp)
      if (.not. c_associated(s%watch)) return
      call c_f_pointer(s%x, x, [s%n])
      call c_f_pointer(s%watch, watch, [s%n, LEAST])
      if (s%iter == 1) watch = 0
      has_changed = s%iter == 1
      do j = 1, s%n
         if (abs(x(j)) > watch(j, LARGEST)) watch(j, LARGEST) = abs(x(j))
         if (abs(x(j)) > much*watch(j, LOOKED_AT)) then
            watch(j, KEPT) = 0
            has_changed = .true.
         else if (much*abs(x(j)) < watch(j, LOOKED_AT) .or. watch(j, KEPT) > 0) then
            has_changed = .true.
         end if
      end do
      if (.not. has_changed) return
      s%watching = 1
      do j = 1, s%n
         watch(j, LOOKED_AT) = abs(x(j))
         watch(j, LEAST) = noise*s%rounding
         if (abs(x(j)) < nearly_zero*watch(j, LARGEST)) watch(j, LEAST) = clear*s%rounding
      end do
   end subroutine

   !> The length of the first step from x = x_j.
   real(wp) function step_length(s, x) result(h)
      type(lm_state), intent(in) :: s
      real(wp), intent(in) :: x

      h = minpacks_step(s, x)
      if (s%watching /= 0) h = kept_step(s, h)
   end function

   real(wp) function minpacks_step(s, x) result(h)
      type(lm_state), intent(in) :: s
      real(wp), intent(in) :: x

      h = relative_step(s)*abs(x)
      if (h == 0) h = relative_step(s)
   end function

   !> A longer step that this fit has kept for s%column, in the place of one that is much
   !> shorter; or that one, which is not in need of help any more.
   real(wp) function kept_step(s, minpacks) result(h)
      type(lm_state), intent(in) :: s
      real(wp), intent(in) :: minpacks
      real(wp), pointer, contiguous :: watch(:, :)

      call c_f_pointer(s%watch, watch, [s%n, LEAST])
      if (longer*minpacks >= watch(s%column, KEPT)) watch(s%column, KEPT) = 0
      h = max(minpacks, watch(s%column, KEPT))
   end function

   !> The step of parameter s%column for x_j = 1.
   real(wp) function relative_step(s) result(h)
      type(lm_state), intent(in) :: s
      real(wp), pointer, contiguous :: diff_step(:)

      h = s%relative_step
      if (.not. c_associated(s%diff_step)) return
      call c_f_pointer(s%diff_step, diff_step, [s%n])
      h = abs(diff_step(s%column))
   end function

   !> Whether the bounds leave room for parameter j.
   logical function can_move(s, j)
      type(lm_state), intent(in) :: s
      integer, intent(in) :: j
      real(wp), pointer, contiguous :: lower(:), upper(:)

      can_move = .true.
      if (.not. c_associated(s%lower)) return
      call c_f_pointer(s%lower, lower, [s%n])
      call c_f_pointer(s%upper, upper, [s%n])
      can_move = lower(j) < upper(j)
   end function

   !> After the last column, and after each longer step: choose s%column and the step
   !> s%longer of the next evaluation; .false. where there is none.
   logical function next_longer_step(s) result(more)
      type(lm_state), intent(inout) :: s
      type(differences) :: d
      real(wp), pointer, contiguous :: watch(:, :)

      more = .false.
      if (s%watching == 0) return
      d = all_differences(s)
      call c_f_pointer(s%watch, watch, [s%n, LEAST])
      if (s%tries < 0) then
         if (all(watch(:, KEPT) <= 0)) then
            if (are_clear(d, watch(:, LEAST))) return
         end if
         s%column = 0
      else
         more = wants_another_step(s, d)
      end if
      do while (.not. more .and. s%column < s%n)
         s%column = s%column + 1
         s%tries = 0
         if (can_move(s, s%column)) more = wants_another_step(s, d)
      end do
      if (more .and. d%raw .and. s%gathered == 0) then
         call copy(s%m, d%last, d%fjac(:, s%n)) ! before fvec_trial is overwritten
         s%gathered = 1
      end if
   end function

   function all_differences(s) result(d)
      type(lm_state), intent(in) :: s
      type(differences) :: d
      real(wp), pointer, contiguous :: fjac(:, :)

      d%m = s%m
      d%n = s%n
      d%raw = s%deferred /= 0
      d%rounding = s%rounding
      call c_f_pointer(s%fjac, fjac, [s%ldfjac, s%n])
      d%fjac => fjac
      call c_f_pointer(s%fvec_trial, d%last, [s%m])
      if (s%gathered /= 0) d%last => fjac(:s%m, s%n)
      call c_f_pointer(s%fvec, d%fvec, [s%m])
      call c_f_pointer(s%x, d%x, [s%n])
      call c_f_pointer(s%step, d%h, [s%n])
   end function

   !> Whether column s%column is to be taken again, with the step s%longer. One that shows
   !> nothing with any step stays as it is.
   logical function wants_another_step(s, d) result(wants)
      type(lm_state), intent(inout) :: s
      type(differences), intent(in) :: d
      type(evidence) :: seen
      real(wp), pointer, contiguous :: watch(:, :)
      real(wp) :: h
      logical :: was_cut

      call c_f_pointer(s%watch, watch, [s%n, LEAST])
      h = abs(d%h(s%column))
      was_cut = s%tries > 0 .and. longer*h < s%longer
      seen = look_at(d, s%column, watch(s%column, LEAST))
      s%longer = 0
      if (s%tries == 0) then
         s%tame = h
         if (.not. seen%is_clear) then
            s%longer = next_step(s, d, seen, watch(:, LARGEST))
         else if (seen%change*minpacks_step(s, d%x(s%column)) >= &
                  clear*s%rounding*seen%size*h) then
            watch(s%column, KEPT) = 0 ! from now on MINPACK's step will do
         end if
      else if (.not. seen%change <= huge(h)) then
         s%longer = sqrt(s%tame*h)
      else if (.not. seen%is_clear) then
         s%tame = h
         if (.not. was_cut) s%longer = next_step(s, d, seen, watch(:, LARGEST))
      else if (seen%change > too_much*seen%size) then
         s%longer = relative_step(s)*(h*seen%size/seen%change)
         if (s%longer < longer*s%tame) s%longer = sqrt(s%tame*h)
      else
         watch(s%column, KEPT) = h
      end if
      wants = s%longer > 0 .and. s%tries < most_tries
      s%tries = s%tries + 1
      if (.not. wants .and. s%tries > 1 .and. .not. seen%change <= larger(seen%size, 0.0_wp)) &
         call forget(s, d)
   end function

   !> The length of the step after the one that has shown this, or 0 where there is none.
   real(wp) function next_step(s, d, seen, largest_x) result(next)
      type(lm_state), intent(in) :: s
      type(differences), intent(in) :: d
      type(evidence), intent(in) :: seen
      real(wp), intent(in) :: largest_x(s%n)
      real(wp) :: h, relative, candidates(3)
      integer :: k

      next = 0
      h = abs(d%h(s%column))
      relative = relative_step(s)
      candidates = relative*[largest_x(s%column), 1.0_wp, seen%size]
      ! A step that is not tiny in any respect, and changes nothing: there is no effect.
      if (.not. seen%change > 0 .and. s%tries == 0 .and. much_longer*h >= candidates(1) .and. &
          h >= clear*s%rounding*max(seen%size, 1.0_wp, maxval(largest_x))) return
      do k = 1, 3
         if (candidates(k) <= longer*h) cycle
         if (next == 0 .or. candidates(k) < next) next = candidates(k)
      end do
      if (next == 0 .and. seen%change > 0 .and. &
          much_longer*h <= most_of_x*largest_x(s%column)) next = much_longer*h
   end function

   !> A column that is beyond all measure with any longer step is one of zeros.
   subroutine forget(s, d)
      type(lm_state), intent(in) :: s
      type(differences), intent(in) :: d

      d%fjac(:s%m, s%column) = 0
      if (d%raw) d%fjac(:s%m, s%column) = d%fvec
   end subroutine
end module
