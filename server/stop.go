package server

import (
	"context"
	"errors"
	"time"
)

// minCloseTime is the least time that handlers have to return when the node closes,
// even if SHUTDOWN_TIMEOUT is 0.
const minCloseTime = 100 * time.Millisecond

// stop stops a node that serves. served gets the result of Serve. The order:
//
//	/readyz answers 503            balancers send no new clients
//	new sessions are refused
//	clients are closed one by one  so that the other nodes get them one by one
//	the HTTP server shuts down     requests in flight finish
//	close                          what is left, and the parts below
func (srv *Server) stop(ctx context.Context, served <-chan error) error {
	timeout := srv.cfg.ShutdownTimeout
	srv.log.Info().Stringer("within", timeout).Msg("draining")
	if srv.cfg.AllowProtocol3 {
		active, total := srv.io.Engine().Protocol3()
		srv.log.Info().Int64("sessions", active).Int64("since_start", total).Msg("clients of protocol 3")
	}
	finish, cancel := context.WithTimeout(ctx, timeout*3/4)
	defer cancel()
	srv.draining.Store(true)
	srv.io.Drain(finish, timeout/2)
	if err := srv.http.Shutdown(finish); err != nil {
		srv.log.Warn().Err(err).Msg("requests cut off")
		srv.http.Close()
	}
	<-served
	end, cancel := context.WithTimeout(ctx, max(timeout/4, minCloseTime))
	defer cancel()
	err := srv.close(end)
	srv.log.Info().Msg("stopped")
	return err
}

// Close closes a node on which Run was not called; Run does so itself. It returns an
// error if a part did not close before ctx ended.
func (srv *Server) Close(ctx context.Context) error {
	return errors.Join(srv.listener.Close(), srv.close(ctx))
}

// close closes the parts that New has created, each before what it uses: the leaves of
// the clients that are left go to the other nodes over the presence, and that over the
// connection to Redis.
func (srv *Server) close(ctx context.Context) (err error) {
	if srv.io != nil {
		if srv.cluster != nil {
			// Leaves are announced before the connection to other nodes is closed.
			srv.cluster.Presence().Sync(ctx)
		}
		err = srv.io.Close(ctx)
	}
	if srv.cluster != nil {
		err = errors.Join(err, srv.cluster.Close(context.WithoutCancel(ctx))) // it bounds itself
	}
	if srv.verifier != nil {
		srv.verifier.Close()
	}
	return err
}
