! A program like those that Argonne tests MINPACK with: it checks the derivatives and fits
! by the easy routines, and says what the norms were.
subroutine kowalik_osborne(n, x, fvec)
   ! ACM TOMS 7, 1981, number 15
   implicit none
   integer :: n
   double precision :: x(n), fvec(11)
   double precision, parameter :: v(11) = [4d0, 2d0, 1d0, 5d-1, 2.5d-1, 1.67d-1, 1.25d-1, &
                                           1d-1, 8.33d-2, 7.14d-2, 6.25d-2]
   double precision, parameter :: y(11) = [1.957d-1, 1.947d-1, 1.735d-1, 1.6d-1, 8.44d-2, &
                                           6.27d-2, 4.56d-2, 3.42d-2, 3.23d-2, 2.35d-2, &
                                           2.46d-2]

   fvec = y - x(1)*v*(v + x(2))/(v*(v + x(3)) + x(4))
end subroutine

subroutine derivatives(n, x, i, row)
   implicit none
   integer :: n, i
   double precision :: x(n), row(n), up, down
   double precision, parameter :: v(11) = [4d0, 2d0, 1d0, 5d-1, 2.5d-1, 1.67d-1, 1.25d-1, &
                                           1d-1, 8.33d-2, 7.14d-2, 6.25d-2]

   up = v(i)*(v(i) + x(2))
   down = v(i)*(v(i) + x(3)) + x(4)
   row = [-up/down, -v(i)*x(1)/down, x(1)*up*v(i)/down**2, x(1)*up/down**2]
end subroutine

subroutine lmdif_fcn(m, n, x, fvec, iflag)
   implicit none
   integer :: m, n, iflag
   double precision :: x(n), fvec(m)

   call kowalik_osborne(n, x, fvec)
end subroutine

subroutine lmder_fcn(m, n, x, fvec, fjac, ldfjac, iflag)
   implicit none
   integer :: m, n, ldfjac, iflag, i
   double precision :: x(n), fvec(m), fjac(ldfjac, n), row(n)

   if (iflag == 1) call kowalik_osborne(n, x, fvec)
   do i = 1, m
      call derivatives(n, x, i, row)
      if (iflag == 2) fjac(i, :) = row
   end do
end subroutine

subroutine lmstr_fcn(m, n, x, fvec, fjrow, iflag)
   implicit none
   integer :: m, n, iflag
   double precision :: x(n), fvec(m), fjrow(n)

   if (iflag == 1) call kowalik_osborne(n, x, fvec)
   if (iflag >= 2) call derivatives(n, x, iflag - 1, fjrow)
end subroutine

program driver
   implicit none
   integer, parameter :: m = 11, n = 4, lwa = m*n + 5*n + m
   double precision :: x(n), xp(n), fvec(m), fvecp(m), fjac(m, n), err(m), wa(lwa), tol, factor
   integer :: ipvt(n), info, k
   double precision :: dpmpar, enorm
   external :: dpmpar, enorm, chkder, lmder1, lmdif1, lmstr1, lmdif_fcn, lmder_fcn, lmstr_fcn

   tol = sqrt(dpmpar(1))
   factor = 1
   do k = 1, 3
      call prepare()
      call lmder_fcn(m, n, x, fvec, fjac, m, 1)
      call lmder_fcn(m, n, x, fvec, fjac, m, 2)
      call chkder(m, n, x, fvec, fjac, m, xp, fvecp, 1, err)
      call lmder_fcn(m, n, xp, fvecp, fjac, m, 1)
      call chkder(m, n, x, fvec, fjac, m, xp, fvecp, 2, err)
      print '(a, *(1x, f0.3))', 'errors', err

      call prepare()
      call lmdif1(lmdif_fcn, m, n, x, fvec, tol, info, ipvt, wa, lwa)
      call show('lmdif1')
      call prepare()
      call lmder1(lmder_fcn, m, n, x, fvec, fjac, m, tol, info, ipvt, wa, lwa)
      call show('lmder1')
      call prepare()
      call lmstr1(lmstr_fcn, m, n, x, fvec, fjac, m, tol, info, ipvt, wa, lwa)
      call show('lmstr1')
      factor = 10*factor
   end do

contains

   subroutine prepare()
      x = factor*[0.25d0, 0.39d0, 0.415d0, 0.39d0]
      call kowalik_osborne(n, x, fvec)
      print '(a, es24.16)', 'initial norm', enorm(m, fvec)
   end subroutine

   subroutine show(name)
      character(*), intent(in) :: name

      print '(a, i3, es24.16)', name//': exit and final norm', info, enorm(m, fvec)
      print '(*(es24.16))', x
   end subroutine
end program
