!> The Jacobian by differences, one evaluation at a time.
!>
!> Forward differences are those of ANL-80-74, fdjac2. Of second order are the central
!> difference and, where a bound is in the way, the one with both points on one side;
!> both are the derivative at x of the parabola through three points. With bounds no
!> point is outside: a step turns round, and where neither side has room for it, it is
!> as long as the wider side. A parameter whose bounds are equal is not moved.
!>
!> After the last column, those that hold rounding errors alone are taken again with
!> longer steps (lm_longer_steps.f90).
module lm_differences
   use, intrinsic :: iso_c_binding, only: c_int, c_associated, c_f_pointer, c_f_procpointer
   use lm_types
   use lm_longer_steps, only: start_watch, step_length, can_move, next_longer_step
   implicit none
   private

   public :: start_differences, next_difference

contains

   !> Before the first column: count the evaluations to come.
   subroutine start_differences(s)
      type(lm_state), intent(inout) :: s
      real(wp), pointer, contiguous :: x(:), x_trial(:)
      integer :: evaluations, j

      call c_f_pointer(s%x, x, [s%n])
      call c_f_pointer(s%x_trial, x_trial, [s%n])
      call copy(s%n, x, x_trial)
      s%column = 0
      s%side = sides(s)
      call start_watch(s)
      evaluations = 0
      do j = 1, s%n
         if (can_move(s, j)) evaluations = evaluations + sides(s)
      end do
      call count_evaluations(s, evaluations)
   end subroutine

   subroutine count_evaluations(s, evaluations)
      type(lm_state), intent(inout) :: s
      integer, intent(in) :: evaluations

      s%ndiff = s%ndiff + evaluations
      if (s%trials_only == 0) s%nfev = s%nfev + evaluations
   end subroutine

   !> Take the evaluation that has come and make x_trial that of the next one, which is x
   !> but for one parameter; .false. where there is none left.
   logical function next_difference(s) result(more)
      type(lm_state), intent(inout) :: s
      real(wp), pointer, contiguous :: x(:), x_trial(:)

      call c_f_pointer(s%x, x, [s%n])
      call c_f_pointer(s%x_trial, x_trial, [s%n])
      if (s%column > 0) then
         call take_evaluation(s)
         x_trial(s%column) = x(s%column)
      end if
      more = s%side < sides(s)
      if (more) then
         s%side = s%side + 1
      else
         more = next_column(s)
         s%side = 1
      end if
      if (more) call move_parameter(s, x(s%column), x_trial(s%column))
   end function

   !> Go on to the next column of a parameter that can move, or to one that wants a longer
   !> step; .false. where there is none.
   logical function next_column(s) result(more)
      type(lm_state), intent(inout) :: s

      more = .true.
      do while (s%tries < 0 .and. s%column < s%n)
         s%column = s%column + 1
         if (can_move(s, s%column)) return
         call clear_column(s)
      end do
      more = next_longer_step(s)
      if (.not. more) return
      call count_evaluations(s, sides(s))
      s%beyond = s%beyond + 1
   end function

   !> Evaluations for a column.
   pure integer function sides(s)
      type(lm_state), intent(in) :: s

      sides = merge(2, 1, s%points == 3)
   end function

   !> The column of a parameter that cannot move.
   subroutine clear_column(s)
      type(lm_state), intent(in) :: s
      real(wp), pointer, contiguous :: fjac(:, :), steps(:)

      call c_f_pointer(s%fjac, fjac, [s%ldfjac, s%n])
      call c_f_pointer(s%step, steps, [s%n])
      fjac(:s%m, s%column) = 0
      steps(s%column) = 1
   end subroutine

   !> The difference quotient of fvec_trial: the column of fjac, or its second part; where
   !> the factorization is to form it, fvec_trial, but not yet that of the last column.
   subroutine take_evaluation(s)
      type(lm_state), intent(in) :: s

      procedure(difference_kernel), pointer :: difference
      real(wp), pointer, contiguous, dimension(:) :: fvec, fvec_trial, steps, second
      real(wp), pointer, contiguous :: fjac(:, :)

      call c_f_procpointer(s%working%difference, difference)
      call c_f_pointer(s%fvec, fvec, [s%m])
      call c_f_pointer(s%fvec_trial, fvec_trial, [s%m])
      call c_f_pointer(s%fjac, fjac, [s%ldfjac, s%n])
      call c_f_pointer(s%step, steps, [s%n])
      if (s%side == 1) steps(s%column) = s%h
      if (s%deferred /= 0) then
         if (s%column < s%n .or. s%tries >= 0) &
            call copy(s%m, fvec_trial, fjac(:, s%column))
      else if (s%side == 1) then
         call difference(s%m, fvec_trial, fvec, s%h, fjac(:, s%column))
      else
         call c_f_pointer(s%work_m, second, [s%m])
         call difference(s%m, fvec_trial, fvec, s%h, second)
         call combine(s%m, s%h_first, s%h, fjac(:, s%column), second)
      end if
   end subroutine

   !> The derivative at x of the parabola through x, x + h1 and x + h2, from the
   !> difference quotients d1 and d2 of the last two.
   pure subroutine combine(m, h1, h2, d1, d2)
      integer(c_int), intent(in) :: m
      real(wp), intent(in) :: h1, h2
      real(wp), intent(inout) :: d1(m) !< out: the derivative
      real(wp), intent(in) :: d2(m)
      real(wp) :: w1, w2
      integer :: i

      w1 = h2/(h2 - h1)
      w2 = -h1/(h2 - h1)
      do i = 1, m
         d1(i) = w1*d1(i) + w2*d2(i)
      end do
   end subroutine

   !> A parameter at x is moved by s%h.
   subroutine move_parameter(s, x, moved)
      type(lm_state), intent(inout) :: s
      real(wp), intent(in) :: x
      real(wp), intent(out) :: moved
      real(wp), pointer, contiguous :: lower(:), upper(:)
      integer :: j

      call choose_step(s, x)
      if (c_associated(s%lower)) then
         j = s%column
         call c_f_pointer(s%lower, lower, [s%n])
         call c_f_pointer(s%upper, upper, [s%n])
         call turn_inward(s, upper(j) - x, x - lower(j))
         moved = min(max(x + s%h, lower(j)), upper(j)) ! x + h may be rounded
      else
         moved = x + s%h
      end if
   end subroutine

   !> s%h, by which a parameter at x is moved: forward, and for a second point back.
   subroutine choose_step(s, x)
      type(lm_state), intent(inout) :: s
      real(wp), intent(in) :: x

      if (s%side == 1) then
         if (s%tries < 0) s%longer = step_length(s, x)
         s%h = s%longer
         s%h_first = s%h
      else
         s%h = -s%h_first
      end if
   end subroutine

   !> The same with so much room above and below: a forward step may have to be one back,
   !> and the second point lies behind the first where the other side is too near.
   subroutine turn_inward(s, above, below)
      type(lm_state), intent(inout) :: s
      real(wp), intent(in) :: above, below
      real(wp) :: h

      h = s%h
      if (s%side == 2) then
         if (abs(h) > smaller(above, below)) h = 2*s%h_first
      else if (s%points == 3 .and. h > smaller(above, below)) then
         h = merge(smaller(h, above/2), -smaller(h, below/2), above >= below)
      else if (h > above) then
         if (h > below) h = larger(above, below)
         if (below >= h) h = -h
      end if
      s%h = h
      if (s%side == 1) s%h_first = h
   end subroutine
end module
