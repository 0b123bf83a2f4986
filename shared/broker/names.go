package broker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tributary/shared/job"
)

// Prefixes of the names that are stored among the models. No model's id can begin with
// them.
const (
	aliasPrefix = "@alias/" // @alias/<name> holds the id of the newest model of that name
	namedPrefix = "@named/" // @named/<name>/<id> is empty; it says that the model was given that name
)

// Found is the model for a name.
type Found struct {
	ID      string
	Version string // changes when the model is put again; "" when there is none
}

// Find returns the model with the id name. If there is none, it returns the newest model
// that has that name. It fails with job.ErrNotFound when there is neither.
func (m *Models) Find(ctx context.Context, name string) (Found, error) {
	doing := fmt.Sprintf("find model %.140s", name)
	version, err := m.version(ctx, name)
	if err != nil {
		return Found{}, wrap(doing, err)
	}
	if version != "" {
		return Found{name, version}, nil
	}
	id, err := m.Resolve(ctx, name)
	if err != nil {
		return Found{}, err
	}
	version, err = m.version(ctx, id)
	return Found{id, version}, wrap(doing, err)
}

// SetAlias makes alias a name of model, in place of the model that had it before. If alias
// is also the id of a model, Find returns that model.
func (m *Models) SetAlias(ctx context.Context, alias, model string) error {
	doing := fmt.Sprintf("name model %.140s %.140s", model, alias)
	for _, name := range []string{alias, model} {
		if _, err := object(name, "x"); err != nil {
			return wrap(doing, err)
		}
	}
	err := m.put(ctx, namedPrefix+alias+"/"+model, strings.NewReader(""))
	if err == nil {
		err = m.put(ctx, aliasPrefix+alias, strings.NewReader(model))
	}
	return wrap(doing, err)
}

// Resolve returns the model of an alias. It fails with job.ErrNotFound when there is no
// such alias.
func (m *Models) Resolve(ctx context.Context, alias string) (string, error) {
	doing := fmt.Sprintf("find model %.140s", alias)
	if _, err := object(alias, "x"); err != nil {
		return "", fmt.Errorf("%s: there is none of that name: %w", doing, job.ErrNotFound)
	}
	store, err := m.bucket.get(ctx)
	if err != nil {
		return "", wrap(doing, err)
	}
	var data []byte
	err = readObject(ctx, store, aliasPrefix+alias, 256, func(r io.Reader, info *jetstream.ObjectInfo) error {
		data, err = whole(r, info)
		return err
	})
	if err != nil {
		return "", wrap(doing, err)
	}
	if !modelPattern.Match(data) {
		return "", fmt.Errorf("%s: it stands for %.140q, which is not the name of a model: %w", doing, data, job.ErrCorrupt)
	}
	return string(data), nil
}

// Delete removes every file of a model. An alias of the model then belongs to the newest
// remaining model that was given this name. A model that does not exist is no error.
func (m *Models) Delete(ctx context.Context, model string) error {
	doing := "delete model " + model
	if _, err := object(model, "x"); err != nil {
		return wrap("delete model", err)
	}
	store, err := m.bucket.get(ctx)
	if err != nil {
		return wrap(doing, err)
	}
	own, err := m.listObjects(ctx, model)
	if err != nil {
		return wrap(doing, err)
	}
	for alias, next := range own.aliases {
		if next != "" {
			err = m.put(ctx, aliasPrefix+alias, strings.NewReader(next))
		} else {
			err = erase(ctx, m.c.js, ModelBucket, store, aliasPrefix+alias)
		}
		if err != nil {
			return wrap(doing, err)
		}
	}
	for _, name := range own.objects {
		if err := erase(ctx, m.c.js, ModelBucket, store, name); err != nil {
			return wrap(doing, err)
		}
	}
	return nil
}

// modelObjects is everything stored for a model.
type modelObjects struct {
	objects []string          // its files, and the objects for names that it was given
	aliases map[string]string // its aliases → the model that gets the alias when this one is deleted, "" for none
}

// listObjects lists a model's belongings.
func (m *Models) listObjects(ctx context.Context, model string) (own modelObjects, err error) {
	type note struct {
		model string
		at    time.Time
	}
	var names []string           // names that the model was given
	given := map[string][]note{} // name → other models that were given the name
	there := map[string]bool{}   // models that exist
	for info, err := range m.c.allObjects(ctx, &m.bucket) {
		if err != nil {
			return own, err
		}
		rest, isNote := strings.CutPrefix(info.Name, namedPrefix)
		first, second, _ := strings.Cut(rest, "/")
		switch {
		case isNote && second == model:
			names = append(names, first)
			own.objects = append(own.objects, info.Name)
		case isNote:
			given[first] = append(given[first], note{second, info.ModTime})
		case first == model:
			own.objects = append(own.objects, info.Name)
		case second == modelCard:
			there[first] = true
		}
	}
	own.aliases = map[string]string{}
	for _, name := range names {
		stands, err := m.Resolve(ctx, name)
		if err != nil && !errors.Is(err, job.ErrNotFound) && !errors.Is(err, job.ErrCorrupt) {
			return own, err
		}
		if stands != model {
			continue
		}
		var next note
		for _, n := range given[name] {
			if there[n.model] && n.at.After(next.at) {
				next = n
			}
		}
		own.aliases[name] = next.model
	}
	return own, nil
}
