!> The step of a fit with bounds on x.
module lm_bounds
   use, intrinsic :: iso_c_binding, only: c_int, c_size_t
   use lm_types
   implicit none
   private

   public :: lm_bounds_work

contains

   !> How many numbers of work space a fit with bounds needs.
   pure function lm_bounds_work(n) result(count) bind(c)
      integer(c_int), value, intent(in) :: n
      integer(c_size_t) :: count

      count = int(n, c_size_t)*(n + 9)
   end function
end module
