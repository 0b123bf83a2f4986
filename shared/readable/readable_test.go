package readable_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/notice"
	"tributary/shared/readable"
)

func TestPeopleReadWhatIsMeant(t *testing.T) {
	v := map[string]any{"want": "nats:<bucket>/<object> & more", "n": 1}
	text, err := readable.JSON(v)
	require.NoError(t, err)
	require.Equal(t, `{"n":1,"want":"nats:<bucket>/<object> & more"}`, string(text))
	text, err = readable.Indented(v)
	require.NoError(t, err)
	require.Equal(t, "{\n  \"n\": 1,\n  \"want\": \"nats:<bucket>/<object> & more\"\n}", string(text))
	var line bytes.Buffer
	require.NoError(t, readable.Print(&line, v))
	require.Equal(t, `{"n":1,"want":"nats:<bucket>/<object> & more"}`+"\n", line.String())
	_, err = readable.JSON(func() {})
	require.Error(t, err)
}

func TestEventsAreReadable(t *testing.T) {
	text, err := readable.JSON(notice.Event{Job: job.ID("j"), Message: "want <path> & more"})
	require.NoError(t, err)
	require.Contains(t, string(text), "want <path> & more")
}
