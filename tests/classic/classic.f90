! A Fortran program for MINPACK: Osborne's first problem (ACM TOMS 7, 1981, number 17)
! by every classic routine. Numbers are printed as the integers that have their bits.
module osborne
   use, intrinsic :: iso_fortran_env, only: int64
   implicit none

   integer, parameter :: m = 33, n = 5
   integer :: calls = 0, stop_at = 0

   double precision, parameter :: y(m) = [ &
      0.844d0, 0.908d0, 0.932d0, 0.936d0, 0.925d0, 0.908d0, 0.881d0, 0.850d0, 0.818d0, &
      0.784d0, 0.751d0, 0.718d0, 0.685d0, 0.658d0, 0.628d0, 0.603d0, 0.580d0, 0.558d0, &
      0.538d0, 0.522d0, 0.506d0, 0.490d0, 0.478d0, 0.467d0, 0.457d0, 0.448d0, 0.438d0, &
      0.431d0, 0.424d0, 0.420d0, 0.414d0, 0.411d0, 0.406d0]

contains

   subroutine evaluate(x, fvec)
      double precision, intent(in) :: x(n)
      double precision, intent(out) :: fvec(m)
      integer :: i

      do i = 1, m
         fvec(i) = y(i) - (x(1) + x(2)*exp(-10*(i - 1)*x(4)) + x(3)*exp(-10*(i - 1)*x(5)))
      end do
   end subroutine

   subroutine differentiate(x, fjac)
      double precision, intent(in) :: x(n)
      double precision, intent(out) :: fjac(:, :)
      double precision :: t, e4, e5
      integer :: i

      do i = 1, m
         t = 10*(i - 1)
         e4 = exp(-t*x(4))
         e5 = exp(-t*x(5))
         fjac(i, :) = [-1d0, -e4, -e5, t*x(2)*e4, t*x(3)*e5]
      end do
   end subroutine

   subroutine count_call(iflag)
      integer, intent(inout) :: iflag

      calls = calls + 1
      if (calls == stop_at) iflag = -calls
   end subroutine

   subroutine show(name, numbers)
      character(*), intent(in) :: name
      double precision, intent(in) :: numbers(:)

      print '(a, *(1x, z16.16))', name, transfer(numbers, [0_int64])
   end subroutine
end module

subroutine lmdif_fcn(m, n, x, fvec, iflag)
   use osborne, only: evaluate, count_call, show
   implicit none
   integer :: m, n, iflag
   double precision :: x(n), fvec(m)

   if (iflag == 0) then
      call show('look at x', x)
      call show('look at fvec', fvec)
   else
      call evaluate(x, fvec)
   end if
   call count_call(iflag)
end subroutine

subroutine lmder_fcn(m, n, x, fvec, fjac, ldfjac, iflag)
   use osborne, only: evaluate, differentiate, count_call, show
   implicit none
   integer :: m, n, ldfjac, iflag
   double precision :: x(n), fvec(m), fjac(ldfjac, n)

   if (iflag == 0) then
      call show('look at x', x)
      call show('look at fvec', fvec)
      call show('look at fjac', reshape(fjac, [ldfjac*n]))
   else if (iflag == 1) then
      call evaluate(x, fvec)
   else
      call differentiate(x, fjac)
   end if
   call count_call(iflag)
end subroutine

program classic
   use osborne
   implicit none
   external :: lmdif_fcn, lmder_fcn, lmdif, lmder, lmdif1, lmder1

   double precision, parameter :: start(n) = [0.5d0, 1.5d0, -1d0, 0.01d0, 0.02d0]
   double precision, parameter :: tol = 1d-10
   integer, parameter :: ldfjac = m + 2, lwa = m*n + 5*n + m
   double precision :: x(n), fvec(m), fjac(ldfjac, n), diag(n), qtf(n)
   double precision :: wa1(n), wa2(n), wa3(n), wa4(m), wa(lwa)
   integer :: ipvt(n), info, nfev, njev, nprint

   do nprint = 0, 2
      call prepare('lmdif')
      call lmdif(lmdif_fcn, m, n, x, fvec, tol, tol, 0d0, 1200, 0d0, diag, 1, 100d0, nprint, &
                 info, nfev, fjac, ldfjac, ipvt, qtf, wa1, wa2, wa3, wa4)
      call show_fit()
      call prepare('lmder')
      call lmder(lmder_fcn, m, n, x, fvec, fjac, ldfjac, tol, tol, 0d0, 600, diag, 2, 100d0, &
                 nprint, info, nfev, njev, ipvt, qtf, wa1, wa2, wa3, wa4)
      call show_fit()
   end do

   call prepare('lmdif1')
   call lmdif1(lmdif_fcn, m, n, x, fvec, tol, info, ipvt, wa, lwa)
   call show_fit()
   call prepare('lmder1')
   call lmder1(lmder_fcn, m, n, x, fvec, fjac, ldfjac, tol, info, ipvt, wa, lwa)
   call show_fit()

   stop_at = 17
   call prepare('lmdif1, stopped')
   call lmdif1(lmdif_fcn, m, n, x, fvec, tol, info, ipvt, wa, lwa)
   print '(a, *(1x, i0))', 'info, calls', info, calls
   call prepare('lmder1, stopped')
   call lmder1(lmder_fcn, m, n, x, fvec, fjac, ldfjac, tol, info, ipvt, wa, lwa)
   print '(a, *(1x, i0))', 'info, calls', info, calls

contains

   subroutine prepare(title)
      character(*), intent(in) :: title

      print '(a)', title
      x = start
      fvec = 77; fjac = 77; qtf = 77
      diag = [1d0, 2d0, 3d0, 100d0, 50d0]
      ipvt = 77; info = 77; nfev = 77; njev = 77
      calls = 0
   end subroutine

   subroutine show_fit()
      print '(a, *(1x, i0))', 'info, nfev, njev, calls, ipvt', info, nfev, njev, calls, ipvt
      call show('x', x)
      call show('fvec', fvec)
      call show('fjac', reshape(fjac, [ldfjac*n]))
      call show('diag', diag)
      call show('qtf', qtf)
   end subroutine
end program
