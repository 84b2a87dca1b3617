// Original file: proto/containerd/events.proto

import type { Any as _containerd_services_events_v1_Any, Any__Output as _containerd_services_events_v1_Any__Output } from '../../../../containerd/services/events/v1/Any.ts';

export interface Envelope {
  'namespace'?: (string);
  'topic'?: (string);
  'event'?: (_containerd_services_events_v1_Any | null);
}

export interface Envelope__Output {
  'namespace': (string);
  'topic': (string);
  'event': (_containerd_services_events_v1_Any__Output | null);
}
