import { newPictureId } from '../domain/picture.ts';
import { PicpipeError } from '../errors.ts';
import type { DialectPresets } from '../pipeline/recipe/recipes.ts';
import { parseCloudinary } from './dialects/cloudinary.ts';
import type { Presets } from './dialects/image-request.ts';
import { parseImgproxy } from './dialects/imgproxy.ts';
import { parseIpx } from './dialects/ipx.ts';

/** Reads a URL with nothing but a preset, in each dialect. */
const readers: Readonly<Record<keyof DialectPresets, (preset: string, id: string, presets: Presets) => unknown>> = {
	imgproxy: (preset, id, presets) => parseImgproxy(`/preset:${preset}/plain/${id}`, { presets }),
	ipx: (preset, id, presets) => parseIpx(`/preset_${preset}/${id}`, { presets }),
	cloudinary: (preset, id, presets) => parseCloudinary(`/demo/image/upload/t_${preset}/${id}`, { presets }),
};

/**
 * Finds invalid presets when the recipes file is loaded, not when the first URL uses them.
 *
 * @returns one line for each, with its path and the expected value
 */
export function problemsOfPresets(presets: DialectPresets): string[] {
	const id = newPictureId();
	return Object.entries(readers).flatMap(([dialect, read]) => {
		const own = presets[dialect as keyof DialectPresets];
		return [...own.keys()].flatMap((name) => {
			try {
				read(name, id, own);
				return [];
			} catch (error) {
				if (!(error instanceof PicpipeError)) throw error;
				return [`presets.${dialect}.${name}: ${error.message}`];
			}
		});
	});
}
