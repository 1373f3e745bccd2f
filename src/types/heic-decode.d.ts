/** The parts of heic-decode 2.1 and of libheif-js that are used here; heic-decode has no types, and those of libheif-js are of another entry. */
declare module 'heic-decode/lib.js' {
	interface HeicPixels {
		readonly width: number;
		readonly height: number;
		/** Red, green, blue and alpha, 8 bits each. */
		readonly data: Uint8ClampedArray<ArrayBuffer>;
	}

	/** @param libheif an instance of the decoder */
	function heicDecode(libheif: unknown): { one(input: { readonly buffer: Uint8Array }): Promise<HeicPixels> };
	export default heicDecode;
}

declare module 'libheif-js/libheif-wasm/libheif-bundle.js' {
	/** Compiles the decoder, with memory of its own. */
	function libheif(): unknown;
	export default libheif;
}
