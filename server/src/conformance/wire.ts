/** What the suite talks through: a WebSocket to any server, or a transport within the process. */

export interface Closing {
  readonly code: number;
  readonly reason: string;
}

/** One conversation's bytes. */
export interface Wire {
  send(message: Uint8Array): void;
  /** Sets who hears of messages; what came before is told then. */
  listen(message: (bytes: Uint8Array) => void): void;
  readonly closed: Promise<Closing>;
  close(): void;
  /** Ends it without a close frame, as a broken network does. */
  destroy(): void;
}

/** What only a socket can do. */
export interface SocketWire extends Wire {
  sendText(text: string): void;
  /** One message in as many WebSocket frames as there are parts. */
  sendFragments(parts: readonly Uint8Array[]): void;
  /** Resolves when the pong has come. */
  ping(): Promise<void>;
  /** What the server chose of the offered extensions; empty for none. */
  readonly extensions: string;
  readonly subprotocol: string;
  /** A text frame came, which no server may send. */
  readonly textCame: () => boolean;
}

export interface UpgradeOptions {
  /** Offered in place of the protocol's own. */
  readonly subprotocols?: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
  /** Appended to the address. */
  readonly path?: string;
  readonly offerCompression?: boolean;
  /** In place of the target's own; empty for none. */
  readonly key?: string;
}

/** What became of an upgrade: a wire, or the HTTP status that refused it. */
export type Upgrade =
  | { readonly wire: SocketWire }
  | { readonly status: number; readonly headers: Readonly<Record<string, string>> };

export interface Target {
  /** For the report. */
  readonly name: string;
  /** `key` in place of the target's own. */
  connect(key?: string): Promise<Wire>;
  /** Absent where there is no socket: the cases that need one are skipped. */
  readonly upgrade?: (options: UpgradeOptions) => Promise<Upgrade>;
  /** Whether the address is a loopback one. */
  readonly loopback: boolean;
  readonly key?: string | undefined;
  /** A second key, which sees nothing of the first. */
  readonly otherKey?: string | undefined;
}
