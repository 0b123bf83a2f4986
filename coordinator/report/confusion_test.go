package report

import (
	"bytes"
	"fmt"
	"image/png"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
)

func TestConfusion(t *testing.T) {
	for _, n := range []int{1, 2, 10, maxCountedClasses, job.MaxConfusion} {
		classes, counts := make([]string, n), make([][]int64, n)
		for i := range n {
			classes[i] = fmt.Sprintf("class <%d> %s", i, strings.Repeat("x", i))
			counts[i] = make([]int64, n)
			counts[i][i], counts[i][(i+1)%n] = int64(900*(i%2)), int64(100*(i%2))
		}
		svg, raster, err := Confusion("digits & co", classes, counts)
		require.NoError(t, err)
		picture, err := png.Decode(bytes.NewReader(raster))
		require.NoError(t, err)
		require.Equal(t, picture.Bounds().Dx(), picture.Bounds().Dy())
		require.Contains(t, string(svg), "Liberation Sans,Arial")
		require.Equal(t, n > 1 && n <= maxCountedClasses, strings.Contains(string(svg), ">900<"))
		require.NotContains(t, string(svg), ">0<", "an empty cell is 0")
		again, sameRaster, err := Confusion("digits & co", classes, counts)
		require.NoError(t, err)
		require.True(t, bytes.Equal(svg, again) && bytes.Equal(raster, sameRaster), "the same counts give the same bytes")
	}
	for _, n := range []int{0, job.MaxConfusion + 1} {
		_, _, err := Confusion("", make([]string, n), make([][]int64, n))
		require.ErrorIs(t, err, job.ErrInvalid)
	}
}
