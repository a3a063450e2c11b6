// What was written and not sent, by conversation, as long as the page lives.

const texts = new Map<string, string>()

export const drafts = {
  get: (conversation: string): string => texts.get(conversation) ?? '',
  set: (conversation: string, text: string): void => {
    if (text === '') texts.delete(conversation)
    else texts.set(conversation, text)
  },
}
