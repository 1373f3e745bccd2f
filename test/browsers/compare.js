/** Runs in the page of `side-by-side.ts`: compares a file as Chromium shows it with our picture of it. */

/** A difference of a channel that people may see, in 255. */
const farBy = 8;

/** Rows that are drawn at once: two photographs of 20 megapixels as raw pixels are more than a canvas may hold. */
const stripHeight = 256;

// biome-ignore lint/correctness/noUnusedVariables: the test calls it.
async function compare(file, ours) {
	const [one, other] = [await load(file), await load(ours)];
	if (!other) throw new Error('Chromium does not show our PNG.');
	if (!one) return undefined;
	const { naturalWidth: width, naturalHeight: height } = one;
	const shown = `${width} × ${height}`;
	const size = `${other.naturalWidth} × ${other.naturalHeight}`;
	if (shown !== size) return { shown, ours: size, mean: 255, most: 255, far: 1 };
	const canvas = document.createElement('canvas');
	Object.assign(canvas, { width, height: Math.min(stripHeight, height) });
	const context = canvas.getContext('2d', { willReadFrequently: true, colorSpace: 'srgb' });
	const strip = (image, top, background) => {
		context.fillStyle = background;
		context.fillRect(0, 0, width, canvas.height);
		context.drawImage(image, 0, -top);
		return context.getImageData(0, 0, width, Math.min(canvas.height, height - top)).data;
	};
	let [sum, most, far, count] = [0, 0, 0, 0];
	for (const background of ['#000000', '#ffffff']) {
		for (let top = 0; top < height; top += stripHeight) {
			const [a, b] = [strip(one, top, background), strip(other, top, background)];
			for (let at = 0; at < a.length; at += 4) {
				let largest = 0;
				for (let channel = at; channel < at + 3; channel++) {
					const difference = Math.abs(a[channel] - b[channel]);
					sum += difference;
					if (difference > largest) largest = difference;
				}
				if (largest > most) most = largest;
				if (largest > farBy) far++;
				count++;
			}
		}
	}
	return { shown, ours: size, mean: sum / (count * 3), most, far: far / count };
}

/** Undefined for a file that Chromium does not show. */
async function load(url) {
	const image = new Image();
	image.src = url;
	return image.decode().then(
		() => image,
		() => undefined,
	);
}
