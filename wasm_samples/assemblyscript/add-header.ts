// Adds its configuration, or "world" where it has none, to every response as header "hello". Its root id is "add_header".
export * from "@solo-io/proxy-runtime/proxy"; // what the host calls
import {
  Context,
  FilterHeadersStatusValues,
  RootContext,
  registerRootContext,
  stream_context,
} from "@solo-io/proxy-runtime";

class Root extends RootContext {
  createContext(context_id: u32): Context {
    return new AddHeader(context_id, this);
  }
}

class AddHeader extends Context {
  constructor(context_id: u32, root: Root) {
    super(context_id, root);
  }

  onResponseHeaders(count: u32, end_of_stream: bool): FilterHeadersStatusValues {
    const root = this.root_context;
    if (root.getConfiguration() == "") {
      stream_context.headers.response.add("hello", "world");
    } else {
      stream_context.headers.response.add("hello", root.getConfiguration());
    }
    return FilterHeadersStatusValues.Continue;
  }
}

registerRootContext((context_id: u32) => { return new Root(context_id); }, "add_header");
