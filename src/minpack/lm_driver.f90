!> What the drivers share: a state from the classic arguments, and the loop around
!> C functions.
module lm_driver
   use, intrinsic :: iso_c_binding, only: c_int, c_double, c_ptr, c_loc, c_null_ptr
   use, intrinsic :: iso_c_binding, only: c_f_pointer, c_size_t
   use lm_types
   use lm, only: lm_start, lm_step, lm_reference_kernels
   implicit none
   private

   public :: lm_prepare, lm_run, residuals_function, jacobian_function

   abstract interface
      !> Residuals at x; a negative value stops the fit.
      function residuals_function(m, n, x, fvec, user_data) result(iflag) bind(c)
         import :: c_int, c_double, c_ptr
         integer(c_int), value, intent(in) :: m, n
         real(c_double), intent(in) :: x(n)
         real(c_double), intent(inout) :: fvec(m)
         type(c_ptr), value, intent(in) :: user_data
         integer(c_int) :: iflag
      end function

      !> The Jacobian at x; a negative value stops the fit.
      function jacobian_function(m, n, x, fjac, ldfjac, user_data) result(iflag) bind(c)
         import :: c_int, c_double, c_ptr
         integer(c_int), value, intent(in) :: m, n, ldfjac
         real(c_double), intent(in) :: x(n)
         real(c_double), intent(inout) :: fjac(ldfjac, n)
         type(c_ptr), value, intent(in) :: user_data
         integer(c_int) :: iflag
      end function
   end interface

contains

   !> A state at its start, from MINPACK's arguments and work arrays.
   subroutine lm_prepare(s, m, n, ldfjac, ftol, xtol, gtol, maxfev, mode, factor, x, fvec, &
                         fjac, ipvt, diag, qtf, wa1, wa2, wa3, wa4)
      type(lm_state), intent(out) :: s
      integer(c_int), intent(in) :: m, n, ldfjac, maxfev, mode
      real(c_double), intent(in) :: ftol, xtol, gtol, factor
      real(c_double), target, intent(in) :: x(*), fvec(*), fjac(*), diag(*), qtf(*)
      real(c_double), target, intent(in) :: wa1(*), wa2(*), wa3(*), wa4(*)
      integer(c_int), target, intent(in) :: ipvt(*)

      s%m = m
      s%n = n
      s%ldfjac = ldfjac
      s%analytic = 0
      s%mode = mode
      s%maxfev = maxfev
      s%ftol = ftol
      s%xtol = xtol
      s%gtol = gtol
      s%epsfcn = 0
      s%factor = factor
      s%rounding = 0
      call lm_reference_kernels(s%kernels)
      s%points = 0
      s%trials_only = 0
      s%last_jacobian = 0
      s%weighted = 0
      s%deferred = 0
      s%lower = c_null_ptr
      s%upper = c_null_ptr
      s%diff_step = c_null_ptr
      s%active = c_null_ptr
      s%bounds_work = c_null_ptr
      s%fvec_weighted = c_null_ptr
      s%watch = c_null_ptr
      s%x = c_loc(x)
      s%fvec = c_loc(fvec)
      s%fjac = c_loc(fjac)
      s%ipvt = c_loc(ipvt)
      s%diag = c_loc(diag)
      s%qtf = c_loc(qtf)
      s%step = c_loc(wa1)
      s%x_trial = c_loc(wa2)
      s%work_n = c_loc(wa3)
      s%fvec_trial = c_loc(wa4)
      s%work_m = c_loc(wa4)
      s%scratch = c_null_ptr
      call lm_start(s)
   end subroutine

   !> Run a fit to its end with functions in C.
   subroutine lm_run(s, residuals, jacobian, user_data)
      type(lm_state), intent(inout) :: s
      procedure(residuals_function) :: residuals
      procedure(jacobian_function), optional :: jacobian !< needed if s%analytic is set
      type(c_ptr), intent(in) :: user_data

      real(c_double), pointer, contiguous :: x(:), fvec(:), fjac(:), x_trial(:), fvec_trial(:)
      integer(c_int) :: iflag

      call c_f_pointer(s%x, x, [s%n])
      call c_f_pointer(s%fvec, fvec, [s%m])
      call c_f_pointer(s%fjac, fjac, [int(s%ldfjac, c_size_t)*s%n])
      call c_f_pointer(s%x_trial, x_trial, [s%n])
      call c_f_pointer(s%fvec_trial, fvec_trial, [s%m])

      do
         call lm_step(s)
         iflag = 0
         select case (s%request)
         case (LM_DONE)
            return
         case (LM_RESIDUALS, LM_DIFFERENCE)
            iflag = residuals(s%m, s%n, x_trial, fvec_trial, user_data)
         case (LM_JACOBIAN)
            iflag = jacobian(s%m, s%n, x, fjac, s%ldfjac, user_data)
         case (LM_ACCEPT)
            call copy(s%m, fvec_trial, fvec)
         end select
         if (iflag < 0) then
            s%info = iflag
            return
         end if
      end do
   end subroutine
end module
