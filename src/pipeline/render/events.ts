import type { FoundQuality } from './write.ts';

/** A step that is over. */
export interface StepEvent {
	/** Such as `decode` or `encode large.webp`. */
	readonly step: string;
	/** Milliseconds since 1970. */
	readonly startedAt: number;
	readonly milliseconds: number;
	/** Size of what the step read (`decode`) or made. */
	readonly bytes?: number | undefined;
	/** Share of the picture's work that is done with this step, 0 to 1. */
	readonly done: number;
}

/** One encoding of one variant, with its bytes. */
export interface VariantOutput {
	readonly name: string;
	/** Encoder: `webp`, `jpeg`, ... */
	readonly format: string;
	/** Media type. */
	readonly type: string;
	readonly extension: string;
	readonly width: number;
	readonly height: number;
	/** Digest of source, steps, encoding and engine. */
	readonly digest: string;
	/** SHA-256 of the data. */
	readonly sha256: string;
	readonly data: Buffer;
	/** The quality that was found, where the recipe has a target instead of one. */
	readonly quality?: FoundQuality;
	/** Time spent on its steps and on encoding it; what it shares with other variants is not counted. */
	readonly milliseconds: number;
}

/** Who is told while a picture is worked on. */
export interface PipelineListener {
	onStep(event: StepEvent): void;
	/** Called with each variant as soon as it is made. */
	onVariant(output: VariantOutput): void;
}
