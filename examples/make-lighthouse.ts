import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { randomNumbers } from '../scripts/random-numbers.ts';

/**
 * Draws `lighthouse.jpg`, the picture that the first `curl` line uploads: a lighthouse at dusk, 3000 × 2000. All of it is made
 * here, so it belongs to the project. Run it with `node --import tsx examples/make-lighthouse.ts`.
 */
const width = 3000;
const height = 2000;
/** Where sea and sky meet, pixels from the top. */
const horizon = 1240;
/** The sun, low over the sea. */
const sun = { x: 930, y: 1130 };

const target = fileURLToPath(new URL('./lighthouse.jpg', import.meta.url));
const picture = await sharp(Buffer.from(scene()))
	.composite([
		{ input: await clouds(), blend: 'soft-light' },
		{ input: await ripples(), blend: 'soft-light' },
		{ input: Buffer.from(foreground()) },
		{ input: await grain(), blend: 'soft-light' },
	])
	.removeAlpha()
	.jpeg({ quality: 72, mozjpeg: true })
	.toFile(target);
process.stdout.write(`${target}: ${picture.width} × ${picture.height}, ${picture.size} bytes\n`);

/** Sky, sun and sea. */
function scene(): string {
	return svg(`
	<defs>
		<linearGradient id="sky" x1="0" y1="0" x2="0" y2="1">
			<stop offset="0" stop-color="#1d2b53"/><stop offset=".38" stop-color="#54598f"/>
			<stop offset=".68" stop-color="#c97b84"/><stop offset=".88" stop-color="#f2a66c"/><stop offset="1" stop-color="#ffd9a0"/>
		</linearGradient>
		<linearGradient id="sea" x1="0" y1="0" x2="0" y2="1">
			<stop offset="0" stop-color="#d9a27f"/><stop offset=".1" stop-color="#8f7a86"/>
			<stop offset=".45" stop-color="#3c4a72"/><stop offset="1" stop-color="#131d3a"/>
		</linearGradient>
		<radialGradient id="glow" gradientUnits="userSpaceOnUse" cx="${sun.x}" cy="${sun.y}" r="1250">
			<stop offset="0" stop-color="#fff3cf" stop-opacity=".95"/><stop offset=".12" stop-color="#ffd28a" stop-opacity=".6"/>
			<stop offset=".5" stop-color="#ff9b6a" stop-opacity=".2"/><stop offset="1" stop-color="#ff8a5c" stop-opacity="0"/>
		</radialGradient>
		<linearGradient id="path" x1="0" y1="0" x2="0" y2="1">
			<stop offset="0" stop-color="#fff0c4" stop-opacity=".95"/><stop offset="1" stop-color="#ffb070" stop-opacity="0"/>
		</linearGradient>
		<filter id="soft"><feGaussianBlur stdDeviation="26"/></filter>
		<filter id="haze"><feGaussianBlur stdDeviation="5"/></filter>
	</defs>
	<rect width="${width}" height="${horizon}" fill="url(#sky)"/>
	<rect y="${horizon}" width="${width}" height="${height - horizon}" fill="url(#sea)"/>
	<path d="M0 ${horizon} L0 1196 Q260 1150 470 1186 T1010 1206 T1500 ${horizon} Z" fill="#6d5a7c" opacity=".55" filter="url(#haze)"/>
	<rect width="${width}" height="${height}" fill="url(#glow)"/>
	<circle cx="${sun.x}" cy="${sun.y}" r="74" fill="#fff8e2"/>
	<path d="M${sun.x - 60} ${horizon} L${sun.x + 60} ${horizon} L${sun.x + 330} ${height} L${sun.x - 330} ${height} Z" fill="url(#path)" filter="url(#soft)"/>
	${glints()}`);
}

/** Light on the waves below the sun: short strokes, longer and wider apart towards the viewer. */
function glints(): string {
	const random = randomNumbers(7);
	return Array.from({ length: 520 }, () => {
		const depth = random() ** 1.6;
		const y = horizon + 6 + depth * (height - horizon);
		const spread = 70 + depth * 420;
		const x = sun.x + (random() + random() + random() - 1.5) * spread;
		const length = 14 + depth * 110 * random();
		const opacity = (0.75 - depth * 0.55) * (0.4 + random() * 0.6);
		return `<ellipse cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" rx="${length.toFixed(1)}" ry="${(1.2 + depth * 4).toFixed(1)}" fill="#ffe2ae" opacity="${opacity.toFixed(2)}"/>`;
	}).join('');
}

/** Rocks, lighthouse, its beam and a few gulls. */
function foreground(): string {
	return svg(`
	<defs>
		<linearGradient id="tower" x1="0" y1="0" x2="1" y2="0">
			<stop offset="0" stop-color="#fff1dc"/><stop offset=".3" stop-color="#efe3da"/>
			<stop offset=".75" stop-color="#8d8aa0"/><stop offset="1" stop-color="#4c5072"/>
		</linearGradient>
		<linearGradient id="band" x1="0" y1="0" x2="1" y2="0">
			<stop offset="0" stop-color="#ff7a5e"/><stop offset=".35" stop-color="#d2443f"/><stop offset="1" stop-color="#5c1f38"/>
		</linearGradient>
		<linearGradient id="rock" x1="0" y1="0" x2="0" y2="1">
			<stop offset="0" stop-color="#5b4a58"/><stop offset=".35" stop-color="#342f45"/><stop offset="1" stop-color="#12142a"/>
		</linearGradient>
		<linearGradient id="beam" x1="1" y1="0" x2="0" y2="0">
			<stop offset="0" stop-color="#fff6d8" stop-opacity=".75"/><stop offset="1" stop-color="#fff6d8" stop-opacity="0"/>
		</linearGradient>
		<radialGradient id="lamp"><stop offset="0" stop-color="#fffbe8"/><stop offset=".25" stop-color="#ffe9a8" stop-opacity=".85"/><stop offset="1" stop-color="#ffd070" stop-opacity="0"/></radialGradient>
		<clipPath id="body"><path d="M2148 1330 L2186 560 L2354 560 L2392 1330 Z"/></clipPath>
		<filter id="blur"><feGaussianBlur stdDeviation="9"/></filter>
		<filter id="stone" x="0" y="0" width="1" height="1">
			<feTurbulence type="fractalNoise" baseFrequency=".012 .03" numOctaves="5" seed="4" result="noise"/>
			<feColorMatrix in="noise" values="0 0 0 0 0  0 0 0 0 0  0 0 0 0 0  0 0 0 -2.4 1.5" result="dark"/>
			<feComposite in="dark" in2="SourceGraphic" operator="in" result="cracks"/>
			<feMerge><feMergeNode in="SourceGraphic"/><feMergeNode in="cracks"/></feMerge>
		</filter>
	</defs>
	<path d="M2270 470 L-60 210 L-60 560 Z" fill="url(#beam)" filter="url(#blur)" opacity=".7"/>
	<g filter="url(#stone)">
		<path d="M1390 1545 Q1480 1480 1570 1490 T1720 1410 Q1800 1330 1900 1345 T2060 1290 Q2180 1262 2300 1280 T2520 1272 Q2660 1290 2740 1350 T3000 1390 L3000 2000 L1260 2000 Q1290 1640 1390 1545 Z" fill="url(#rock)"/>
		<path d="M0 1905 Q160 1800 330 1846 T620 1915 Q760 1940 860 2000 L0 2000 Z" fill="#171730"/>
	</g>
	<g clip-path="url(#body)">
		<rect x="2130" y="550" width="280" height="790" fill="url(#tower)"/>
		<rect x="2130" y="668" width="280" height="128" fill="url(#band)"/>
		<rect x="2130" y="930" width="280" height="132" fill="url(#band)"/>
		<rect x="2130" y="1196" width="280" height="140" fill="url(#band)"/>
	</g>
	${[840, 1105].map((y) => `<path d="M2254 ${y + 46} v-30 a16 16 0 0 1 32 0 v30 Z" fill="#28243c"/>`).join('')}
	<path d="M2246 1330 v-72 a24 24 0 0 1 48 0 v72 Z" fill="#241c30"/>
	<rect x="2156" y="538" width="228" height="26" rx="6" fill="#2c2a44"/>
	${Array.from({ length: 12 }, (_, at) => `<rect x="${2160 + at * 20}" y="500" width="4" height="40" fill="#2c2a44"/>`).join('')}
	<rect x="2156" y="496" width="228" height="7" fill="#2c2a44"/>
	<rect x="2206" y="416" width="128" height="124" fill="#fff3c8"/>
	${[2206, 2246, 2290, 2330].map((x) => `<rect x="${x}" y="416" width="6" height="124" fill="#2c2a44"/>`).join('')}
	<path d="M2190 420 Q2270 316 2350 420 Z" fill="url(#band)"/><rect x="2266" y="330" width="8" height="40" fill="#2c2a44"/>
	<circle cx="2270" cy="474" r="230" fill="url(#lamp)"/>
	<path d="M2440 1300 L2440 1168 L2530 1108 L2620 1168 L2620 1296 Z" fill="#c9bcb8"/><path d="M2530 1108 L2620 1168 L2620 1296 L2560 1300 L2560 1150 Z" fill="#6a647f"/>
	<path d="M2420 1178 L2530 1096 L2640 1178 L2620 1182 L2530 1118 L2440 1182 Z" fill="#7c2c3c"/>
	<rect x="2474" y="1200" width="44" height="54" fill="#ffd98c"/><rect x="2494" y="1200" width="4" height="54" fill="#4a3540"/>
	${[
		[1320, 520, 1],
		[1440, 600, 0.7],
		[1210, 640, 0.55],
		[1610, 470, 0.5],
	]
		.map(
			([x = 0, y = 0, scale = 1]) =>
				`<path transform="translate(${x} ${y}) scale(${scale})" d="M-70 -8 Q-36 -34 0 2 Q36 -34 70 -8 Q34 -20 0 14 Q-34 -20 -70 -8 Z" fill="#232544"/>`,
		)
		.join('')}`);
}

/** Long banks of cloud over the sky, lit from below. */
function clouds(): Promise<Buffer> {
	return noise('.0011 .006', 5, 12, 'M0 0 H3000 V1240 H0 Z', 1.9, -0.62);
}

/** Waves over the sea. */
function ripples(): Promise<Buffer> {
	return noise('.004 .05', 4, 3, 'M0 1240 H3000 V2000 H0 Z', 2.2, -0.6);
}

/** Grey noise inside a shape, transparent outside. */
async function noise(
	frequency: string,
	octaves: number,
	seed: number,
	shape: string,
	contrast: number,
	shift: number,
): Promise<Buffer> {
	const row = `${contrast} 0 0 0 ${shift}`;
	const text = svg(`
	<filter id="n" x="0" y="0" width="1" height="1" color-interpolation-filters="sRGB">
		<feTurbulence type="fractalNoise" baseFrequency="${frequency}" numOctaves="${octaves}" seed="${seed}"/>
		<feColorMatrix values="${row} ${row} ${row} 0 0 0 0 1"/>
		<feComposite in2="SourceGraphic" operator="in"/>
	</filter>
	<path d="${shape}" fill="#fff" filter="url(#n)"/>`);
	return sharp(Buffer.from(text)).png().toBuffer();
}

/** What a sensor adds at dusk. */
async function grain(): Promise<Buffer> {
	const random = randomNumbers(11);
	const pixels = Uint8Array.from({ length: width * height }, () => 128 + (random() + random() - 1) * 22);
	return sharp(pixels, { raw: { width, height, channels: 1 } })
		.blur(0.6)
		.png()
		.toBuffer();
}

function svg(content: string): string {
	return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">${content}</svg>`;
}
