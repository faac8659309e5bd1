import { createHash } from 'node:crypto';
import {
  DeleteMessageCommand,
  GetQueueUrlCommand,
  ListQueuesCommand,
  paginateListQueues,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SetQueueAttributesCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';

const md5 = (text) => createHash('md5').update(text).digest('hex');
const failure = (status, type, message) => ({ status, json: { __type: `com.amazonaws.sqs#${type}`, message } });

/** By the operation that `x-amz-target` names. */
const ACTIONS = {
  GetQueueUrl: ({ input, origin }) =>
    input.QueueName === 'missing'
      ? failure(400, 'QueueDoesNotExist', 'The specified queue does not exist.')
      : { json: { QueueUrl: `${origin}/1/${input.QueueName}` } },
  SendMessage: ({ input, state }) => {
    state.made = (state.made ?? 0) + 1;
    return { json: { MD5OfMessageBody: md5(input.MessageBody), MessageId: `m-${state.made}` } };
  },
  SendMessageBatch: ({ input }) => ({
    json: {
      Successful: input.Entries.slice(0, 1).map(({ Id, MessageBody }) => ({
        Id,
        MessageId: 'm-1',
        MD5OfMessageBody: md5(MessageBody),
      })),
      Failed: input.Entries.slice(1).map(({ Id }) => ({ Id, SenderFault: true, Code: 'InvalidParameterValue' })),
    },
  }),
  ReceiveMessage: () => ({
    json: { Messages: [{ MessageId: 'm-1', Body: 'hä?', MD5OfBody: md5('hä?'), ReceiptHandle: 'r-1' }] },
  }),
  DeleteMessage: () => ({ status: 200, json: {} }),
  SetQueueAttributes: () => failure(400, 'InvalidAttributeName', 'Unknown attribute'),
  ListQueues: ({ input, origin }) => {
    if (input.QueueNamePrefix === 'secret')
      return failure(403, 'InvalidClientTokenId', 'The security token is invalid.');
    const page = Number(input.NextToken ?? 1);
    return { json: { QueueUrls: [`${origin}/1/q${page}`], ...(page < 3 ? { NextToken: String(page + 1) } : {}) } };
  },
};

const routes = {
  'POST /': (request) => {
    const action = request.headers['x-amz-target'].split('.')[1];
    return withId(ACTIONS[action]({ ...request, input: JSON.parse(request.text) }));
  },
};

function withId(answer) {
  return { ...answer, headers: { 'x-amzn-requestid': 'r-1', 'content-type': 'application/x-amz-json-1.0' } };
}

/** Not the endpoint's own address: it is in the signed body, and ports differ between runs. */
const QueueUrl = 'http://sqs.example.com/1/q';

const operations = [
  { name: 'read', run: (client) => client.send(new GetQueueUrlCommand({ QueueName: 'q' })) },
  {
    name: 'create',
    run: (client) => client.send(new SendMessageCommand({ QueueUrl, MessageBody: 'Grüße' })),
  },
  {
    name: 'create of several',
    run: async (client) => {
      const Entries = ['a', 'b'].map((Id) => ({ Id, MessageBody: `body ${Id}` }));
      return client.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
    },
  },
  { name: 'receive', run: (client) => client.send(new ReceiveMessageCommand({ QueueUrl })) },
  {
    name: 'delete',
    run: (client) => client.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: 'r-1' })),
  },
  { name: 'not there', run: (client) => client.send(new GetQueueUrlCommand({ QueueName: 'missing' })) },
  {
    name: 'invalid',
    run: async (client) => client.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { Wrong: '1' } })),
  },
  { name: 'wrong credentials', run: (client) => client.send(new ListQueuesCommand({ QueueNamePrefix: 'secret' })) },
  {
    name: 'all pages',
    run: async (client) => {
      const found = [];
      for await (const page of paginateListQueues({ client }, { MaxResults: 1 })) found.push(...page.QueueUrls);
      return found;
    },
  },
];

function make({ transport, baseUrl }) {
  return new SQSClient({
    region: 'eu-central-1',
    endpoint: baseUrl,
    useQueueUrlAsEndpoint: false,
    credentials: { accessKeyId: 'AKIATEST', secretAccessKey: 'secret' },
    ...(transport === undefined ? {} : { requestHandler: transport }),
  });
}

export const cases = [{ name: 'aws (sqs)', seam: 'smithy', routes, operations, make }];
