/** The part of bull-arena 4.10 that picpipe uses; the package has no types of its own. */
declare module 'bull-arena' {
	import type { IncomingMessage, ServerResponse } from 'node:http';

	/** An Express 4 app. */
	interface ArenaApp {
		(request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void): void;
		disable(setting: string): void;
		readonly _router: ArenaRouter;
	}

	interface ArenaRouter {
		readonly stack: ArenaLayer[];
	}

	interface ArenaLayer {
		handle: ArenaHandler & Partial<ArenaRouter>;
		readonly route?: ArenaRouter;
	}

	type ArenaHandler = (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => unknown;

	interface ArenaConfig {
		readonly queues: readonly { readonly name: string; readonly hostId: string; readonly type: 'bullmq' }[];
		/** Called as `new BullMQ(name, options)` when a page first needs the queue. */
		readonly BullMQ: new (
			name: string,
			options: unknown,
		) => object;
	}

	interface ArenaListenOptions {
		/** False serves every script and style from the package itself. */
		readonly useCdn: boolean;
		/** True leaves listening to the caller. */
		readonly disableListen: true;
		/** The group of queues that is unfolded on the first page. */
		readonly activeHostId: string;
	}

	function Arena(config: ArenaConfig, options: ArenaListenOptions): ArenaApp;
	export default Arena;
	export type { ArenaApp, ArenaConfig, ArenaHandler, ArenaRouter };
}

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
