package place

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgtype"

	"tributary/shared/access"
	"tributary/shared/dataset/tabular"
	"tributary/shared/job"
)

// connectTimeout bounds the connecting to a database if its address does not say it.
const connectTimeout = 30 * time.Second

// Postgres asks a PostgreSQL database: SELECT … within a read-only transaction. The server
// sends the values as texts, so that large integers and decimals keep all their digits.
// The environment gives what the address does not say, as for psql: PGPASSWORD, PGPASSFILE
// and the others. Memory: one row, at most 32 MiB.
func Postgres(ctx context.Context, address, query string) (*Rows, error) {
	if wrong := job.CheckPlace(address); wrong != "" {
		return nil, fmt.Errorf("%s: %w", wrong, job.ErrInvalid)
	}
	conn, err := connect(ctx, address)
	if err != nil {
		return nil, ended(ctx, err)
	}
	r, err := ask(ctx, conn, query)
	if err != nil {
		hangUp(conn) //nolint:contextcheck // also after ctx has ended
		return nil, ended(ctx, postgresError(err))
	}
	return r, nil
}

func connect(ctx context.Context, address string) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, fmt.Errorf("the address, or a PG… variable of the environment, cannot be used (%s): %w", parseFault(err), job.ErrInvalid)
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	config.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		f := pgproto3.NewFrontend(r, w)
		f.SetMaxBodyLen(maxRow)
		return f
	}
	defaults := map[string]string{"application_name": "tributary"}
	maps.Copy(defaults, config.RuntimeParams)
	maps.Copy(defaults, map[string]string{"datestyle": "ISO", "timezone": "UTC", "extra_float_digits": "3"})
	config.RuntimeParams = defaults
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, postgresError(err)
	}
	return conn, nil
}

// parseFault returns the end of an error of parsing, which has no part of the address.
func parseFault(err error) string {
	for e := err; e != nil; e = errors.Unwrap(e) {
		err = e
	}
	return access.Show(err.Error())
}

// ask prepares the statement and starts it.
func ask(ctx context.Context, conn *pgx.Conn, query string) (*Rows, error) {
	if _, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}); err != nil {
		return nil, err
	}
	const name = "rows"
	prepared, err := conn.PgConn().Prepare(ctx, name, query, nil)
	if err != nil {
		return nil, err
	}
	if len(prepared.ParamOIDs) > 0 {
		return nil, fmt.Errorf("the statement has parameters ($1): want the values in their place: %w", job.ErrInvalid)
	}
	names, types := make([]string, len(prepared.Fields)), make([]uint32, len(prepared.Fields))
	for i, f := range prepared.Fields {
		names[i], types[i] = f.Name, f.DataTypeOID
	}
	if names, err = named(names); err != nil {
		return nil, err
	}
	categories, err := categoriesOf(ctx, conn, types)
	if err != nil {
		return nil, err
	}
	result := conn.PgConn().ExecPrepared(ctx, name, nil, nil, nil) // nil: all values as texts
	reader := &pgReader{ctx: ctx, conn: conn, result: result, cells: make([]string, len(names)), write: make([]func([]byte) string, len(names))}
	kinds := make([]tabular.Kind, len(names))
	for i, oid := range types {
		kinds[i], reader.write[i] = postgresType(oid, categories[oid])
	}
	return &Rows{names: names, kinds: kinds, next: reader.next, close: reader.close}, nil
}

// categoriesOf returns the category that the database gives to each type, like 'N' for
// numbers.
func categoriesOf(ctx context.Context, conn *pgx.Conn, types []uint32) (map[uint32]string, error) {
	rows, err := conn.Query(ctx, "SELECT oid, typcategory::text FROM pg_catalog.pg_type WHERE oid = ANY($1)", types)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[uint32]string{}
	for rows.Next() {
		var oid uint32
		var category string
		if err := rows.Scan(&oid, &category); err != nil {
			return nil, err
		}
		out[oid] = category
	}
	return out, rows.Err()
}

// postgresType returns the kind of a column and how its cells are written: as they are in
// CSV and Parquet files. The bytes are the server's text of the value.
func postgresType(oid uint32, category string) (tabular.Kind, func([]byte) string) {
	asIs := func(b []byte) string { return string(b) }
	switch oid {
	case pgtype.TimestamptzOID: // in UTC, as the session says
		return tabular.Any, func(b []byte) string { return strings.TrimSuffix(string(b), "+00") }
	case pgtype.UUIDOID, pgtype.MacaddrOID, pgtype.Macaddr8OID, pgtype.QCharOID:
		return tabular.Text, asIs
	case pgtype.BPCharOID: // filled up with blanks, which have no meaning
		return tabular.Text, func(b []byte) string { return strings.TrimRight(string(b), " ") }
	}
	switch category {
	case "N":
		return tabular.Any, func(b []byte) string {
			if string(b) == "NaN" {
				return ""
			}
			return string(b)
		}
	case "B":
		return tabular.Any, func(b []byte) string {
			if string(b) == "t" {
				return "true"
			}
			return "false"
		}
	case "D":
		return tabular.Any, asIs
	case "S", "E", "I", "V", "T": // texts, enumerations, addresses of networks, bits, intervals
		return tabular.Text, asIs
	default:
		return tabular.Nested, func([]byte) string { return "" }
	}
}

// pgReader reads the rows of a result.
type pgReader struct {
	ctx    context.Context //nolint:containedctx // lives as long as one reading
	conn   *pgx.Conn
	result *pgconn.ResultReader
	cells  []string
	write  []func([]byte) string
}

func (r *pgReader) next() ([]string, error) {
	if !r.result.NextRow() {
		if _, err := r.result.Close(); err != nil {
			return nil, ended(r.ctx, postgresError(err))
		}
		return nil, io.EOF
	}
	for i, value := range r.result.Values() {
		if r.cells[i] = ""; value != nil {
			r.cells[i] = r.write[i](value)
		}
	}
	return r.cells, nil
}

func (r *pgReader) close() { hangUp(r.conn) }

// hangUp closes a connection, also within a result.
func hangUp(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx) // nothing was written
}

// postgresError gives an error its class: what the server says about the statement, the
// user or the database is the spec's fault; the rest may be temporary.
func postgresError(err error) error {
	said, long, lookup, dial := (*pgconn.PgError)(nil), (*pgproto3.ExceededMaxBodyLenErr)(nil), (*net.DNSError)(nil), (*net.OpError)(nil)
	switch {
	case errors.Is(err, job.ErrInvalid):
		return err
	case errors.As(err, &said):
		text := fmt.Sprintf("%s (SQLSTATE %s)", said.Message, said.Code)
		if said.Position > 0 {
			text += fmt.Sprintf(" at character %d of the query", said.Position)
		}
		if said.Hint != "" {
			text += ": " + said.Hint
		}
		switch said.Code[:min(2, len(said.Code))] {
		case "08", "40", "53", "55", "57", "58", "XX": // connection, conflicts, resources, the operator, its system
			return errors.New(text)
		}
		return fmt.Errorf("%s: %w", text, job.ErrInvalid)
	case errors.As(err, &long):
		return fmt.Errorf("a row of over %d bytes: want shorter ones: %w", maxRow, job.ErrInvalid)
	case errors.As(err, &lookup) && lookup.IsNotFound:
		return fmt.Errorf("there is no host %.80q: %w", lookup.Name, job.ErrInvalid)
	case errors.As(err, &dial):
		return fmt.Errorf("connect to %v: %w", dial.Addr, dial.Err)
	}
	return err
}
