!> The Euclidean norm, guarded against overflow and underflow.
module reference_enorm
   use, intrinsic :: iso_c_binding, only: c_int, c_double
   use lm_types, only: wp
   implicit none
   private
   public :: enorm

   !> Squares of components between these bounds (over the number of components,
   !> for the upper one) neither underflow harmfully nor overflow in the sum.
   real(wp), parameter :: rdwarf = 3.834e-20_wp, rgiant = 1.304e19_wp

contains

   !> |x|, from three sums of squares: the large components scaled by the largest,
   !> the small ones scaled by the largest small one, and those between unscaled.
   !>
   !> Moré, Garbow and Hillstrom, User Guide for MINPACK-1, ANL-80-74 (1980), enorm.
   function enorm(n, x) result(norm) bind(c, name="minpack_reference_norm")
      integer(c_int), value, intent(in) :: n !< number of components
      real(c_double), intent(in) :: x(*)     !< (n) the vector
      real(c_double) :: norm

      real(wp) :: large, between, small, max_large, max_small, agiant, xabs
      integer :: i

      large = 0; between = 0; small = 0
      max_large = 0; max_small = 0
      agiant = rgiant/real(n, wp)
      do i = 1, n
         xabs = abs(x(i))
         if (xabs > rdwarf .and. xabs < agiant) then
            between = between + xabs**2
         else if (xabs <= rdwarf) then
            if (xabs > max_small) then
               small = 1 + small*(max_small/xabs)**2
               max_small = xabs
            else if (xabs /= 0) then
               small = small + (xabs/max_small)**2
            end if
         else if (xabs <= max_large) then
            large = large + (xabs/max_large)**2
         else ! a new largest component, or NaN, which then stays in the sum
            large = 1 + large*(max_large/xabs)**2
            max_large = xabs
         end if
      end do

      if (large /= 0) then
         norm = max_large*sqrt(large + (between/max_large)/max_large)
      else if (between == 0) then
         norm = max_small*sqrt(small)
      else if (between >= max_small) then
         norm = sqrt(between*(1 + (max_small/between)*(max_small*small)))
      else
         norm = sqrt(max_small*((between/max_small) + (max_small*small)))
      end if
   end function
end module
