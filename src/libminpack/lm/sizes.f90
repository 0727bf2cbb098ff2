!> Compiled, and not linked: it does not compile where a record of types.f90 has another
!> size than step.c says that it has in C.
subroutine compare_sizes(same)
   use, intrinsic :: iso_c_binding, only: c_sizeof
   use lm_types, only: lm_state, lm_differences
   implicit none

   logical, intent(out) :: same
   type(lm_state) :: s
   type(lm_differences) :: d
   integer, parameter :: pointer = c_sizeof(s%x)
   integer, parameter :: equal_states = 1/merge(1, 0, c_sizeof(s) == 18*4 + 13*8 + 16*pointer)
   integer, parameter :: equal_differences = 1/merge(1, 0, c_sizeof(d) == 8*4 + 4*8 + 3*pointer)

   same = equal_states == 1 .and. equal_differences == 1
end subroutine
