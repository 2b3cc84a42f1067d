// Generated from api/cluster/types.ts by `npm run gen`. Do not edit.

/** JSON Schema of each body, by name. */
export const BODY_SCHEMAS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  "ClusterState": {
    "type": "string",
    "enum": [
      "inactive",
      "pending",
      "active",
      "locked",
      "error"
    ],
    "description": "Where this node stands with its cluster."
  },
  "ClusterInfo": {
    "type": "object",
    "properties": {
      "state": {
        "$ref": "#/components/schemas/ClusterState"
      },
      "error": {
        "type": "string",
        "description": "Why, when `state` is `error` or `pending`."
      },
      "nodeId": {
        "type": "string"
      },
      "clusterId": {
        "type": "string"
      },
      "isManager": {
        "type": "boolean"
      },
      "leader": {
        "type": "boolean",
        "description": "This node leads."
      },
      "leaderAddr": {
        "type": "string",
        "description": "Control address of the leader; '' when none is known."
      },
      "autolock": {
        "type": "boolean",
        "description": "Managers need the unlock key when they start."
      },
      "managers": {
        "type": "number"
      },
      "nodes": {
        "type": "number"
      },
      "index": {
        "type": "number",
        "description": "Index that the gateway's cache has reached."
      },
      "version": {
        "type": "string"
      },
      "controlAddr": {
        "type": "string"
      },
      "joinTokens": {
        "type": "object",
        "properties": {
          "worker": {
            "type": "string"
          },
          "manager": {
            "type": "string"
          }
        },
        "required": [
          "worker",
          "manager"
        ]
      }
    },
    "required": [
      "state"
    ],
    "description": "GET /tswarm/v1/cluster. Only `state` is there when the node is in no cluster."
  },
  "InitRequest": {
    "type": "object",
    "properties": {
      "listenAddr": {
        "type": "string"
      },
      "advertiseAddr": {
        "type": "string"
      },
      "embedded": {
        "type": "boolean",
        "description": "Single-node cluster on 127.0.0.1, on any free port when 2377 is taken."
      },
      "defaultAddrPool": {
        "type": "array",
        "items": {
          "type": "string"
        }
      },
      "subnetSize": {
        "type": "number"
      },
      "availability": {
        "type": "string",
        "enum": [
          "active",
          "pause",
          "drain"
        ]
      },
      "dataPathPort": {
        "type": "number"
      },
      "forceNewCluster": {
        "type": "boolean"
      },
      "spec": {
        "type": "object",
        "description": "Settings of the cluster, in the Engine API's form (ClusterSpec); what is not named keeps its default."
      }
    },
    "description": "POST /tswarm/v1/cluster/init. Addresses are `host:port`, `host` or `:port`; empty = default."
  },
  "JoinRequest": {
    "type": "object",
    "properties": {
      "remoteAddrs": {
        "type": "array",
        "items": {
          "type": "string"
        },
        "description": "`host:port` or `host` of managers; the first that answers is asked."
      },
      "token": {
        "type": "string"
      },
      "listenAddr": {
        "type": "string"
      },
      "advertiseAddr": {
        "type": "string"
      },
      "availability": {
        "type": "string",
        "enum": [
          "active",
          "pause",
          "drain"
        ]
      }
    },
    "required": [
      "remoteAddrs",
      "token"
    ],
    "description": "POST /tswarm/v1/cluster/join."
  },
  "UpdateRequest": {
    "type": "object",
    "properties": {
      "spec": {
        "type": "object"
      },
      "rotateWorkerToken": {
        "type": "boolean"
      },
      "rotateManagerToken": {
        "type": "boolean"
      },
      "rotateUnlockKey": {
        "type": "boolean"
      }
    },
    "description": "POST /tswarm/v1/cluster/update. Settings that are not named stay."
  },
  "UnlockKey": {
    "type": "object",
    "properties": {
      "unlockKey": {
        "type": "string",
        "description": "`SWMKEY-1-…`; '' when the cluster does not lock itself."
      }
    },
    "required": [
      "unlockKey"
    ],
    "description": "POST /tswarm/v1/cluster/unlock, and the answer of GET …/unlock-key."
  },
  "StackObjectKind": {
    "type": "string",
    "enum": [
      "stack",
      "service",
      "task",
      "network",
      "volume",
      "secret",
      "config"
    ]
  },
  "StackChangeInfo": {
    "type": "object",
    "properties": {
      "kind": {
        "$ref": "#/components/schemas/StackObjectKind"
      },
      "id": {
        "type": "string"
      },
      "name": {
        "type": "string"
      },
      "action": {
        "type": "string",
        "enum": [
          "none",
          "created",
          "updated",
          "removed"
        ]
      }
    },
    "required": [
      "kind",
      "id",
      "name",
      "action"
    ]
  },
  "DeployResult": {
    "type": "object",
    "properties": {
      "changes": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/StackChangeInfo"
        }
      },
      "index": {
        "type": "number"
      },
      "warnings": {
        "type": "array",
        "items": {
          "type": "string"
        }
      },
      "stack": {
        "anyOf": [
          {
            "type": "object"
          },
          {
            "type": "null"
          }
        ]
      }
    },
    "required": [
      "changes",
      "index",
      "warnings",
      "stack"
    ],
    "description": "Answer of POST /tswarm/v1/stacks/{name}/deploy."
  },
  "PlannedChangeInfo": {
    "type": "object",
    "properties": {
      "kind": {
        "$ref": "#/components/schemas/StackObjectKind"
      },
      "name": {
        "type": "string"
      },
      "action": {
        "type": "string",
        "enum": [
          "none",
          "created",
          "updated",
          "removed"
        ]
      },
      "recreated": {
        "type": "boolean",
        "description": "A new object takes the place of the old one."
      },
      "before": {
        "anyOf": [
          {
            "type": "object"
          },
          {
            "type": "null"
          }
        ],
        "description": "Specification in the Engine API's form; null when there is none before (after)."
      },
      "after": {
        "anyOf": [
          {
            "type": "object"
          },
          {
            "type": "null"
          }
        ]
      }
    },
    "required": [
      "kind",
      "name",
      "action",
      "recreated",
      "before",
      "after"
    ],
    "description": "One object of a plan. Bytes of secrets and configs are never in it; references are by name."
  },
  "PlannedTaskInfo": {
    "type": "object",
    "properties": {
      "service": {
        "type": "string",
        "description": "Name of the service in the cluster."
      },
      "slot": {
        "type": "number",
        "description": "0 = one per node."
      },
      "action": {
        "type": "string",
        "enum": [
          "keep",
          "start",
          "replace",
          "stop",
          "restart",
          "pending"
        ]
      },
      "node": {
        "type": "string",
        "description": "Host on which it will be (or is, when it stops); '' = none."
      },
      "from": {
        "type": "string",
        "description": "Host of the container that it replaces."
      },
      "reason": {
        "type": "string",
        "description": "Why no node takes it, or what it waits for."
      }
    },
    "required": [
      "service",
      "slot",
      "action",
      "node",
      "from",
      "reason"
    ],
    "description": "One container of a plan, as the scheduler would place it now."
  },
  "StackPlan": {
    "type": "object",
    "properties": {
      "changes": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/PlannedChangeInfo"
        }
      },
      "tasks": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/PlannedTaskInfo"
        }
      },
      "warnings": {
        "type": "array",
        "items": {
          "type": "string"
        }
      },
      "state": {
        "type": "string",
        "description": "For `expectedState` of a deployment that must be this one."
      },
      "durationMs": {
        "type": "number",
        "description": "That delays and watching of updates take at least."
      },
      "complete": {
        "type": "boolean",
        "description": "False: the rollout takes too long to be followed to its end."
      },
      "nodes": {
        "type": "number",
        "description": "That are ready and take containers."
      },
      "revision": {
        "type": "number",
        "description": "Of the project as it is; 0 = it is new."
      }
    },
    "required": [
      "changes",
      "tasks",
      "warnings",
      "state",
      "durationMs",
      "complete",
      "nodes",
      "revision"
    ],
    "description": "Answer of POST /tswarm/v1/stacks/{name}/plan, whose request is that of …/deploy. Nothing has been changed."
  },
  "ComposeSource": {
    "type": "object",
    "properties": {
      "name": {
        "type": "string",
        "description": "Of the project; '' = as the text says."
      },
      "content": {
        "type": "string",
        "description": "YAML."
      },
      "environment": {
        "type": "string",
        "description": "Text of the file `.env`; '' = none."
      }
    },
    "required": [
      "name",
      "content",
      "environment"
    ],
    "description": "A compose file as text: body of POST /tswarm/v1/compose/plan and …/deploy, answer of GET /tswarm/v1/stacks/{name}/compose."
  },
  "ComposeProblem": {
    "type": "object",
    "properties": {
      "severity": {
        "type": "string",
        "enum": [
          "error",
          "warning",
          "notice"
        ],
        "description": "Only errors keep it from being deployed."
      },
      "message": {
        "type": "string"
      },
      "line": {
        "type": "number",
        "description": "From 1."
      },
      "column": {
        "type": "number"
      },
      "path": {
        "type": "string",
        "description": "`services.web.ports.0`"
      },
      "hint": {
        "type": "string"
      }
    },
    "required": [
      "severity",
      "message"
    ],
    "description": "What is wrong with a compose file, or worth knowing."
  },
  "ComposeImage": {
    "type": "object",
    "properties": {
      "service": {
        "type": "string"
      },
      "image": {
        "type": "string"
      },
      "id": {
        "type": "string",
        "description": "'' when this node does not have it."
      },
      "isBuilt": {
        "type": "boolean",
        "description": "The file says how to build it."
      }
    },
    "required": [
      "service",
      "image",
      "id",
      "isBuilt"
    ],
    "description": "An image that a service of a compose file needs."
  },
  "ComposePlan": {
    "type": "object",
    "properties": {
      "name": {
        "type": "string"
      },
      "problems": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/ComposeProblem"
        }
      },
      "images": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/ComposeImage"
        }
      },
      "plan": {
        "anyOf": [
          {
            "$ref": "#/components/schemas/ShownPlan"
          },
          {
            "type": "null"
          }
        ],
        "description": "Null when there are errors."
      }
    },
    "required": [
      "name",
      "problems",
      "images",
      "plan"
    ],
    "description": "Answer of POST /tswarm/v1/compose/plan. Nothing has been changed."
  },
  "ShownPlan": {
    "type": "object",
    "properties": {
      "changes": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/ShownChange"
        }
      },
      "tasks": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/PlannedTaskInfo"
        }
      },
      "warnings": {
        "type": "array",
        "items": {
          "type": "string"
        }
      },
      "risks": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/ShownRisk"
        }
      },
      "state": {
        "type": "string"
      },
      "durationMs": {
        "type": "number"
      },
      "complete": {
        "type": "boolean"
      },
      "nodes": {
        "type": "number"
      },
      "revision": {
        "type": "number"
      }
    },
    "required": [
      "changes",
      "tasks",
      "warnings",
      "risks",
      "state",
      "durationMs",
      "complete",
      "nodes",
      "revision"
    ],
    "description": "A StackPlan with the fields that differ instead of both specifications."
  },
  "ShownRisk": {
    "type": "object",
    "properties": {
      "about": {
        "type": "string",
        "description": "Name in the cluster of what it is about."
      },
      "message": {
        "type": "string"
      },
      "hint": {
        "type": "string",
        "description": "'' = nothing can be done."
      }
    },
    "required": [
      "about",
      "message",
      "hint"
    ]
  },
  "ShownChange": {
    "type": "object",
    "properties": {
      "kind": {
        "$ref": "#/components/schemas/StackObjectKind"
      },
      "name": {
        "type": "string"
      },
      "action": {
        "type": "string",
        "enum": [
          "none",
          "created",
          "updated",
          "removed"
        ]
      },
      "recreated": {
        "type": "boolean"
      },
      "fields": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/ShownField"
        }
      }
    },
    "required": [
      "kind",
      "name",
      "action",
      "recreated",
      "fields"
    ]
  },
  "ShownField": {
    "type": "object",
    "properties": {
      "field": {
        "type": "string"
      },
      "before": {
        "type": "string",
        "description": "Absent for something new."
      },
      "after": {
        "type": "string",
        "description": "Absent for something gone."
      }
    },
    "required": [
      "field"
    ],
    "description": "A difference under the name that the compose file has for it."
  },
  "StackVersion": {
    "type": "object",
    "properties": {
      "until": {
        "type": "string",
        "description": "RFC 3339. The stack was like this until then; names the version."
      },
      "replaced": {
        "type": "array",
        "items": {
          "type": "object",
          "properties": {
            "service": {
              "type": "string"
            },
            "imageBefore": {
              "type": "string"
            },
            "imageAfter": {
              "type": "string"
            }
          },
          "required": [
            "service",
            "imageBefore",
            "imageAfter"
          ]
        },
        "description": "What was replaced then; images are equal when something else differs."
      }
    },
    "required": [
      "until",
      "replaced"
    ],
    "description": "One row of GET /tswarm/v1/stacks/{name}/versions."
  },
  "RemoveResult": {
    "type": "object",
    "properties": {
      "changes": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/StackChangeInfo"
        }
      },
      "index": {
        "type": "number"
      }
    },
    "required": [
      "changes",
      "index"
    ],
    "description": "Answer of DELETE /tswarm/v1/stacks/{name}."
  },
  "StackSummary": {
    "type": "object",
    "properties": {
      "name": {
        "type": "string"
      },
      "id": {
        "type": "string"
      },
      "revision": {
        "type": "number"
      },
      "services": {
        "type": "number"
      },
      "createdAt": {
        "type": "string"
      },
      "updatedAt": {
        "type": "string"
      }
    },
    "required": [
      "name",
      "id",
      "revision",
      "services",
      "createdAt",
      "updatedAt"
    ],
    "description": "One row of GET /tswarm/v1/stacks."
  },
  "StackObjects": {
    "type": "object",
    "properties": {
      "stack": {
        "anyOf": [
          {
            "type": "object"
          },
          {
            "type": "null"
          }
        ]
      },
      "services": {
        "type": "array",
        "items": {
          "type": "object"
        }
      },
      "tasks": {
        "type": "array",
        "items": {
          "type": "object"
        }
      },
      "networks": {
        "type": "array",
        "items": {
          "type": "object"
        }
      },
      "volumes": {
        "type": "array",
        "items": {
          "type": "object"
        }
      },
      "secrets": {
        "type": "array",
        "items": {
          "type": "object"
        }
      },
      "configs": {
        "type": "array",
        "items": {
          "type": "object"
        }
      }
    },
    "required": [
      "stack",
      "services",
      "tasks",
      "networks",
      "volumes",
      "secrets",
      "configs"
    ],
    "description": "All objects of one stack."
  },
  "WatchLine": {
    "anyOf": [
      {
        "allOf": [
          {
            "type": "object",
            "properties": {
              "type": {
                "const": "snapshot"
              },
              "index": {
                "type": "number"
              }
            },
            "required": [
              "type",
              "index"
            ]
          },
          {
            "$ref": "#/components/schemas/StackObjects"
          }
        ]
      },
      {
        "type": "object",
        "properties": {
          "type": {
            "const": "change"
          },
          "index": {
            "type": "number"
          },
          "kind": {
            "$ref": "#/components/schemas/StackObjectKind"
          },
          "action": {
            "type": "string",
            "enum": [
              "create",
              "update",
              "remove"
            ]
          },
          "object": {
            "type": "object"
          }
        },
        "required": [
          "type",
          "index",
          "kind",
          "action",
          "object"
        ]
      }
    ],
    "description": "One line of GET /tswarm/v1/stacks/{name}/watch."
  },
  "LogLine": {
    "type": "object",
    "properties": {
      "service": {
        "type": "string"
      },
      "task": {
        "type": "string"
      },
      "slot": {
        "type": "number"
      },
      "node": {
        "type": "string"
      },
      "container": {
        "type": "string"
      },
      "containerName": {
        "type": "string"
      },
      "stream": {
        "type": "string",
        "enum": [
          "stdout",
          "stderr"
        ]
      },
      "time": {
        "type": "string",
        "description": "RFC 3339 with nanoseconds."
      },
      "line": {
        "type": "string",
        "description": "Without the line end; a line without one (still being written) comes as it is."
      },
      "missing": {
        "type": "string",
        "description": "With `marks`, and then `line` is empty: why nothing (more) of this container comes."
      }
    },
    "required": [
      "service",
      "task",
      "slot",
      "node",
      "container",
      "containerName",
      "stream",
      "time",
      "line"
    ],
    "description": "One line of GET /tswarm/v1/stacks/{name}/logs."
  },
  "ServiceAction": {
    "type": "object",
    "properties": {
      "services": {
        "type": "array",
        "items": {
          "type": "string"
        },
        "description": "Ids, names or unique id prefixes."
      },
      "runState": {
        "type": "string",
        "enum": [
          "running",
          "stopped",
          "paused"
        ]
      },
      "restart": {
        "type": "boolean"
      },
      "restartTasks": {
        "type": "array",
        "items": {
          "type": "string"
        },
        "description": "With `restart`: ids of the tasks of these services that are meant, in the runs that they are in now: one that has been started again meanwhile goes on. Empty = all."
      },
      "replicas": {
        "type": "number"
      }
    },
    "required": [
      "services"
    ],
    "description": "POST /tswarm/v1/services/action."
  },
  "HistoryRow": {
    "type": "object",
    "properties": {
      "index": {
        "type": "number"
      },
      "time": {
        "type": "string"
      },
      "author": {
        "type": "string"
      },
      "summary": {
        "type": "string"
      }
    },
    "required": [
      "index",
      "time",
      "author",
      "summary"
    ],
    "description": "One row of GET /tswarm/v1/history."
  },
  "Problem": {
    "type": "object",
    "properties": {
      "type": {
        "type": "string"
      },
      "title": {
        "type": "string"
      },
      "status": {
        "type": "number"
      },
      "code": {
        "type": "string",
        "description": "A code of protocol/error-codes.ts."
      },
      "detail": {
        "type": "string"
      },
      "field": {
        "type": "string"
      },
      "hint": {
        "type": "string"
      }
    },
    "required": [
      "type",
      "title",
      "status",
      "code",
      "detail"
    ],
    "description": "Body of every answer with status ≥ 400 (application/problem+json)."
  },
  "CredentialInfo": {
    "type": "object",
    "properties": {
      "id": {
        "type": "string"
      },
      "name": {
        "type": "string"
      },
      "kind": {
        "type": "string",
        "enum": [
          "token",
          "certificate"
        ]
      },
      "role": {
        "anyOf": [
          {
            "type": "string",
            "enum": [
              "viewer",
              "operator",
              "admin"
            ]
          },
          {
            "type": "string",
            "enum": [
              ""
            ]
          }
        ],
        "description": "'' for one that this version does not know: it may do nothing."
      },
      "owner": {
        "type": "string"
      },
      "createdAt": {
        "type": "string"
      },
      "expiresAt": {
        "anyOf": [
          {
            "type": "string"
          },
          {
            "type": "null"
          }
        ]
      }
    },
    "required": [
      "id",
      "name",
      "kind",
      "role",
      "owner",
      "createdAt",
      "expiresAt"
    ],
    "description": "A credential without its secret. `expiresAt` null = never."
  },
  "NewToken": {
    "allOf": [
      {
        "$ref": "#/components/schemas/CredentialInfo"
      },
      {
        "type": "object",
        "properties": {
          "token": {
            "type": "string"
          }
        },
        "required": [
          "token"
        ]
      }
    ],
    "description": "Answer of POST /tswarm/v1/tokens: the only time that the token is shown."
  },
  "NewCertificate": {
    "allOf": [
      {
        "$ref": "#/components/schemas/CredentialInfo"
      },
      {
        "type": "object",
        "properties": {
          "certificate": {
            "type": "string"
          },
          "caCert": {
            "type": "string"
          }
        },
        "required": [
          "certificate",
          "caCert"
        ]
      }
    ],
    "description": "Answer of POST /tswarm/v1/certificates: PEM."
  },
  "WhoAmI": {
    "type": "object",
    "properties": {
      "name": {
        "type": "string"
      },
      "role": {
        "type": "string",
        "enum": [
          "viewer",
          "operator",
          "admin"
        ]
      }
    },
    "required": [
      "name",
      "role"
    ],
    "description": "Answer of GET /tswarm/v1/access."
  },
  "AuditRow": {
    "type": "object",
    "properties": {
      "time": {
        "type": "string"
      },
      "who": {
        "type": "string",
        "description": "Name of the credential; \"local\" for a unix socket; '' for nobody that is known."
      },
      "role": {
        "anyOf": [
          {
            "type": "string",
            "enum": [
              "viewer",
              "operator",
              "admin"
            ]
          },
          {
            "type": "string",
            "enum": [
              ""
            ]
          }
        ]
      },
      "credential": {
        "type": "string",
        "description": "Id of the credential; '' = none."
      },
      "from": {
        "type": "string",
        "description": "IP address, or \"unix\"."
      },
      "method": {
        "type": "string"
      },
      "path": {
        "type": "string",
        "description": "Without its query."
      },
      "status": {
        "type": "number"
      },
      "durationMs": {
        "type": "number"
      }
    },
    "required": [
      "time",
      "who",
      "role",
      "credential",
      "from",
      "method",
      "path",
      "status",
      "durationMs"
    ],
    "description": "A line of the audit log."
  },
  "IndexAnswer": {
    "type": "object",
    "properties": {
      "index": {
        "type": "number"
      }
    },
    "required": [
      "index"
    ],
    "description": "Answer of calls that change something: a cache at the index shows it."
  },
  "CreatedObject": {
    "type": "object",
    "properties": {
      "id": {
        "type": "string"
      },
      "index": {
        "type": "number"
      }
    },
    "required": [
      "id",
      "index"
    ],
    "description": "Answer of calls that make an object."
  },
  "MissingNode": {
    "type": "object",
    "properties": {
      "id": {
        "type": "string"
      },
      "node": {
        "type": "string"
      },
      "reason": {
        "type": "string"
      }
    },
    "required": [
      "id",
      "node",
      "reason"
    ],
    "description": "A node that an answer has nothing of: it is down, or did not answer in time."
  },
  "ClusterImage": {
    "type": "object",
    "properties": {
      "id": {
        "type": "string"
      },
      "tags": {
        "type": "array",
        "items": {
          "type": "string"
        }
      },
      "digests": {
        "type": "array",
        "items": {
          "type": "string"
        }
      },
      "createdAt": {
        "type": "string"
      },
      "sizeBytes": {
        "type": "number"
      },
      "nodes": {
        "type": "array",
        "items": {
          "type": "string"
        }
      }
    },
    "required": [
      "id",
      "tags",
      "digests",
      "createdAt",
      "sizeBytes",
      "nodes"
    ],
    "description": "An image, and the nodes (host names) that have it."
  },
  "ImageList": {
    "type": "object",
    "properties": {
      "images": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/ClusterImage"
        }
      },
      "missing": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/MissingNode"
        }
      }
    },
    "required": [
      "images",
      "missing"
    ],
    "description": "Answer of GET /tswarm/v1/images."
  },
  "LocalVolume": {
    "type": "object",
    "properties": {
      "name": {
        "type": "string"
      },
      "node": {
        "type": "string"
      },
      "driver": {
        "type": "string"
      },
      "mountpoint": {
        "type": "string"
      },
      "createdAt": {
        "type": "string"
      },
      "labels": {
        "type": "object"
      }
    },
    "required": [
      "name",
      "node",
      "driver",
      "mountpoint",
      "createdAt",
      "labels"
    ],
    "description": "A volume as it is on one node."
  },
  "LocalVolumeList": {
    "type": "object",
    "properties": {
      "volumes": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/LocalVolume"
        }
      },
      "missing": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/MissingNode"
        }
      }
    },
    "required": [
      "volumes",
      "missing"
    ],
    "description": "Answer of GET /tswarm/v1/local-volumes."
  },
  "ContainerStats": {
    "type": "object",
    "properties": {
      "id": {
        "type": "string"
      },
      "name": {
        "type": "string"
      },
      "node": {
        "type": "string",
        "description": "Host name; '' when the node is in no cluster."
      },
      "service": {
        "type": "string",
        "description": "Of a task; '' for other containers."
      },
      "task": {
        "type": "string"
      },
      "stack": {
        "type": "string"
      },
      "time": {
        "type": "string"
      },
      "cpuNanos": {
        "type": "number"
      },
      "cpus": {
        "type": "number",
        "description": "Processors of the node."
      },
      "memoryBytes": {
        "type": "number",
        "description": "Without what the kernel would give back at once (inactive files)."
      },
      "memoryLimitBytes": {
        "type": "number"
      },
      "receivedBytes": {
        "type": "number"
      },
      "sentBytes": {
        "type": "number"
      },
      "readBytes": {
        "type": "number"
      },
      "writtenBytes": {
        "type": "number"
      },
      "processes": {
        "type": "number"
      }
    },
    "required": [
      "id",
      "name",
      "node",
      "service",
      "task",
      "stack",
      "time",
      "cpuNanos",
      "cpus",
      "memoryBytes",
      "memoryLimitBytes",
      "receivedBytes",
      "sentBytes",
      "readBytes",
      "writtenBytes",
      "processes"
    ],
    "description": "What one running container uses. Counters grow from its start; `time` is when they were read."
  },
  "NodeLeftover": {
    "type": "object",
    "properties": {
      "kind": {
        "type": "string",
        "description": "folder, mount, cgroup, process, interface or namespace."
      },
      "what": {
        "type": "string",
        "description": "Path, name, or process id and program."
      }
    },
    "required": [
      "kind",
      "what"
    ],
    "description": "Something of containers on this node's host that no container has."
  },
  "StatsList": {
    "type": "object",
    "properties": {
      "containers": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/ContainerStats"
        }
      },
      "missing": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/MissingNode"
        }
      }
    },
    "required": [
      "containers",
      "missing"
    ],
    "description": "Answer of GET /tswarm/v1/stats."
  },
  "RolloutResult": {
    "type": "object",
    "properties": {
      "index": {
        "type": "number"
      },
      "moving": {
        "type": "number",
        "description": "Tasks that move, of a rebalance."
      }
    },
    "required": [
      "index",
      "moving"
    ],
    "description": "Answer of POST /tswarm/v1/services/{id}/rollout."
  },
  "TokenRequest": {
    "type": "object",
    "properties": {
      "name": {
        "type": "string"
      },
      "role": {
        "type": "string",
        "enum": [
          "viewer",
          "operator",
          "admin"
        ],
        "description": "viewer unless given."
      },
      "expiresAt": {
        "type": "string",
        "description": "RFC 3339; none = without end."
      }
    },
    "required": [
      "name"
    ],
    "description": "POST /tswarm/v1/tokens."
  },
  "CertificateRequest": {
    "type": "object",
    "properties": {
      "name": {
        "type": "string"
      },
      "role": {
        "type": "string",
        "enum": [
          "viewer",
          "operator",
          "admin"
        ],
        "description": "viewer unless given."
      },
      "expiresAt": {
        "type": "string",
        "description": "RFC 3339; a year unless given, five years at most."
      },
      "csr": {
        "type": "string",
        "description": "PKCS #10, PEM; only its public key counts."
      }
    },
    "required": [
      "name",
      "csr"
    ],
    "description": "POST /tswarm/v1/certificates."
  },
  "ExecControl": {
    "anyOf": [
      {
        "type": "object",
        "properties": {
          "type": {
            "const": "resize"
          },
          "width": {
            "type": "number"
          },
          "height": {
            "type": "number"
          }
        },
        "required": [
          "type",
          "width",
          "height"
        ]
      },
      {
        "type": "object",
        "properties": {
          "type": {
            "const": "end-of-input"
          }
        },
        "required": [
          "type"
        ]
      }
    ],
    "description": "Text messages to GET /tswarm/v1/exec; bytes of input are binary messages that begin with a zero byte."
  },
  "ExecNotice": {
    "anyOf": [
      {
        "type": "object",
        "properties": {
          "type": {
            "const": "started"
          },
          "container": {
            "type": "string"
          },
          "command": {
            "type": "array",
            "items": {
              "type": "string"
            }
          }
        },
        "required": [
          "type",
          "container",
          "command"
        ]
      },
      {
        "type": "object",
        "properties": {
          "type": {
            "const": "exit"
          },
          "code": {
            "type": "number"
          }
        },
        "required": [
          "type",
          "code"
        ]
      },
      {
        "type": "object",
        "properties": {
          "type": {
            "const": "error"
          },
          "code": {
            "type": "string"
          },
          "detail": {
            "type": "string"
          },
          "hint": {
            "type": "string"
          }
        },
        "required": [
          "type",
          "code",
          "detail"
        ]
      }
    ],
    "description": "Text messages from it: `started` comes first; `exit` or `error` is the last. Output is binary, 1 (stdout) or 2 (stderr) in the first byte."
  },
  "LinkRequest": {
    "type": "object",
    "properties": {
      "role": {
        "type": "string",
        "enum": [
          "viewer",
          "operator",
          "admin"
        ],
        "description": "admin unless given."
      }
    },
    "description": "POST /tswarm/v1/dashboard/links."
  },
  "DashboardLink": {
    "type": "object",
    "properties": {
      "url": {
        "type": "string"
      },
      "role": {
        "type": "string",
        "enum": [
          "viewer",
          "operator",
          "admin"
        ]
      },
      "validSeconds": {
        "type": "number"
      }
    },
    "required": [
      "url",
      "role",
      "validSeconds"
    ],
    "description": "Answer of POST /tswarm/v1/dashboard/links."
  },
  "Topology": {
    "type": "object",
    "properties": {
      "index": {
        "type": "number",
        "description": "That the answer shows; `/events?since=` goes on behind it."
      },
      "nodes": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/TopologyNode"
        }
      },
      "services": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/TopologyService"
        }
      },
      "tasks": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/TopologyTask"
        },
        "description": "That have a container, or are on their way to one."
      },
      "networks": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/TopologyNetwork"
        },
        "description": "That a task is attached to."
      }
    },
    "required": [
      "index",
      "nodes",
      "services",
      "tasks",
      "networks"
    ],
    "description": "Answer of GET /tswarm/v1/topology. Ids name objects of the same answer."
  },
  "TopologyNode": {
    "type": "object",
    "properties": {
      "id": {
        "type": "string"
      },
      "name": {
        "type": "string"
      },
      "role": {
        "type": "string",
        "enum": [
          "manager",
          "worker"
        ]
      },
      "state": {
        "type": "string"
      },
      "availability": {
        "type": "string"
      },
      "addr": {
        "type": "string"
      },
      "isLeader": {
        "type": "boolean"
      },
      "nanoCpus": {
        "type": "number",
        "description": "1e9 = one core"
      },
      "memoryBytes": {
        "type": "number"
      },
      "nanoCpusReserved": {
        "type": "number",
        "description": "By all tasks on it, also those of other stacks."
      },
      "memoryBytesReserved": {
        "type": "number"
      },
      "tasks": {
        "type": "number"
      }
    },
    "required": [
      "id",
      "name",
      "role",
      "state",
      "availability",
      "addr",
      "isLeader",
      "nanoCpus",
      "memoryBytes",
      "nanoCpusReserved",
      "memoryBytesReserved",
      "tasks"
    ]
  },
  "TopologyService": {
    "type": "object",
    "properties": {
      "id": {
        "type": "string"
      },
      "name": {
        "type": "string"
      },
      "stack": {
        "type": "string"
      },
      "mode": {
        "type": "string"
      },
      "running": {
        "type": "number"
      },
      "desired": {
        "type": "number"
      },
      "ports": {
        "type": "array",
        "items": {
          "$ref": "#/components/schemas/TopologyPort"
        }
      },
      "networks": {
        "type": "array",
        "items": {
          "type": "string"
        },
        "description": "On which it has an address of its own."
      }
    },
    "required": [
      "id",
      "name",
      "stack",
      "mode",
      "running",
      "desired",
      "ports",
      "networks"
    ]
  },
  "TopologyPort": {
    "type": "object",
    "properties": {
      "target": {
        "type": "number"
      },
      "published": {
        "type": "number",
        "description": "0 = not chosen yet"
      },
      "protocol": {
        "type": "string"
      },
      "mode": {
        "type": "string",
        "description": "ingress, host"
      }
    },
    "required": [
      "target",
      "published",
      "protocol",
      "mode"
    ]
  },
  "TopologyTask": {
    "type": "object",
    "properties": {
      "id": {
        "type": "string"
      },
      "name": {
        "type": "string"
      },
      "serviceId": {
        "type": "string"
      },
      "nodeId": {
        "type": "string",
        "description": "'' = none yet"
      },
      "slot": {
        "type": "number"
      },
      "state": {
        "type": "string"
      },
      "desired": {
        "type": "string"
      },
      "health": {
        "type": "string"
      },
      "waitingFor": {
        "type": "string"
      },
      "err": {
        "type": "string"
      }
    },
    "required": [
      "id",
      "name",
      "serviceId",
      "nodeId",
      "slot",
      "state",
      "desired",
      "health",
      "waitingFor",
      "err"
    ]
  },
  "TopologyNetwork": {
    "type": "object",
    "properties": {
      "id": {
        "type": "string"
      },
      "name": {
        "type": "string"
      },
      "stack": {
        "type": "string"
      },
      "driver": {
        "type": "string"
      },
      "subnets": {
        "type": "array",
        "items": {
          "type": "string"
        }
      },
      "services": {
        "type": "array",
        "items": {
          "type": "string"
        }
      },
      "nodes": {
        "type": "array",
        "items": {
          "type": "string"
        }
      }
    },
    "required": [
      "id",
      "name",
      "stack",
      "driver",
      "subnets",
      "services",
      "nodes"
    ]
  }
};
