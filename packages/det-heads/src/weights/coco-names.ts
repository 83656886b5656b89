/** The names of COCO's 80 classes, in the order of its annotations. */
const names =
  'person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,stop sign,parking meter,bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,backpack,umbrella,handbag,tie,suitcase,frisbee,skis,snowboard,sports ball,kite,baseball bat,baseball glove,skateboard,surfboard,tennis racket,bottle,wine glass,cup,fork,knife,spoon,bowl,banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,cake,chair,couch,potted plant,bed,dining table,toilet,tv,laptop,mouse,remote,keyboard,cell phone,microwave,oven,toaster,sink,refrigerator,book,clock,vase,scissors,teddy bear,hair drier,toothbrush';

/** Numbers between 1 and 90 that no class of COCO has. */
const unused = new Set([12, 26, 29, 30, 45, 66, 68, 69, 71, 83]);

/** The names of COCO's 80 classes, in the order of its annotations. */
export const cocoNames: readonly string[] = names.split(',');

/** What COCO's category numbers 0 to 90 stand for; `N/A` where there is no class. */
export const cocoCategories: readonly string[] = byNumber();

function byNumber(): string[] {
  let next = 0;
  return Array.from({ length: 91 }, (_, id) => (id === 0 || unused.has(id) ? 'N/A' : cocoNames[next++]!));
}
