import { crop, fill, limitFill } from './cropping.ts';
import { limitPad, minimumPad, pad } from './padding.ts';
import type { Mode } from './request.ts';
import { fit, limit, minimumFit, scale } from './scaling.ts';

/** Values of `c_`. */
export const modes: Readonly<Record<string, Mode>> = {
	scale: { apply: scale },
	fit: { apply: fit },
	limit: { apply: limit },
	mfit: { apply: minimumFit },
	fill: { apply: fill, gravity: 'centre', looks: true, takesShape: true },
	lfill: { apply: limitFill, gravity: 'centre', looks: true, takesShape: true },
	// What makes a thumbnail another thing than a fill is a face.
	thumb: { apply: fill, gravity: 'centre', looks: true, takesShape: true },
	auto: { apply: fill, gravity: 'attention', looks: true, takesShape: true },
	crop: { apply: crop, gravity: 'centre', looks: true, takesShape: true, moves: true },
	pad: { apply: pad, gravity: 'centre', takesShape: true },
	lpad: { apply: limitPad, gravity: 'centre', takesShape: true },
	mpad: { apply: minimumPad, gravity: 'centre', takesShape: true },
};
